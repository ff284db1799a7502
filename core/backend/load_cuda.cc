#include "core/backend/load_cuda.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "core/available_threads.h"
#include "core/backend/cuda/cuda_library.h"

namespace riesz {
namespace {

std::vector<std::string> Candidates() {
  if (const char* path = std::getenv("RIESZ_CUDA_LIBRARY"); path != nullptr && *path != '\0') {
    return {path};
  }
  std::vector<std::string> paths;
  std::error_code error;
  const std::filesystem::path binary = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) {
    for (const char* folder : {".", "../lib"}) {
      paths.push_back((binary.parent_path() / folder / kCudaLibraryName).lexically_normal());
    }
  }
  paths.push_back(kCudaLibraryName);
  return paths;
}

// A file that is there and does not load tells more than the ones that are not.
absl::StatusOr<void*> OpenLibrary() {
  std::string reason;
  for (const std::string& path : Candidates()) {
    std::error_code ignored;
    const bool there = std::filesystem::exists(path, ignored);
    // Never closed, and its names are its own: CUDA does not survive being unloaded.
    if (void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)) {
      return library;
    }
    if (there || reason.empty()) reason = dlerror();
    if (there) break;
  }
  return absl::NotFoundError("no CUDA backend: " + reason);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Backend>> LoadCudaBackend(int gpu, const BackendOptions& options) {
  absl::StatusOr<void*> library = OpenLibrary();
  if (!library.ok()) return std::move(library).status();
  void* symbol = dlsym(*library, kCudaFactoryName);
  if (symbol == nullptr) {
    return absl::NotFoundError(std::string("no CUDA backend: ") + dlerror());
  }
  const CudaLibraryRequest request{
      .gpu = gpu,
      .threads = options.threads > 0 ? options.threads : AvailableThreads(),
      .precision = options.matrix_precision};
  absl::Status error;
  Backend* backend = reinterpret_cast<CudaFactory>(symbol)(&request, &error);
  if (backend == nullptr) return error;
  return std::unique_ptr<Backend>(backend);
}

}  // namespace riesz
