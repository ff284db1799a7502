#include "core/backend/load_cuda.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "core/available_threads.h"
#include "core/status_macros.h"
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

// The driver's library, which comes with the driver and with nothing else: without it there is no
// need to map half a gigabyte of cuBLAS to learn that there is no GPU.
absl::Status CheckDriver() {
  if (dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL) != nullptr) return absl::OkStatus();
  return absl::NotFoundError(std::string("no CUDA driver: ") + dlerror());
}

}  // namespace

absl::StatusOr<CudaFactory> OpenCudaLibrary() {
  RIESZ_ASSIGN_OR_RETURN(void* const library, OpenLibrary());
  if (void* symbol = dlsym(library, kCudaFactoryName)) {
    return reinterpret_cast<CudaFactory>(symbol);
  }
  return absl::NotFoundError(std::string("no CUDA backend: ") + dlerror());
}

absl::StatusOr<std::unique_ptr<Backend>> LoadCudaBackend(int gpu, const BackendOptions& options) {
  RIESZ_RETURN_IF_ERROR(CheckDriver());
  RIESZ_ASSIGN_OR_RETURN(const CudaFactory factory, OpenCudaLibrary());
  const CudaLibraryRequest request{
      .gpu = gpu,
      .threads = options.threads > 0 ? options.threads : AvailableThreads(),
      .precision = options.matrix_precision};
  absl::Status error;
  std::unique_ptr<Backend> backend(factory(&request, &error));
  if (backend == nullptr) return error;
  return backend;
}

}  // namespace riesz
