// The one symbol of libriesz_cuda.so.
#include "core/backend/cuda/cuda_library.h"

#include <cstring>
#include <string>
#include <utility>

#include "core/backend/cuda/cuda_backend.h"
#include "core/backend/cuda/cuda_runtime.h"

extern "C" __attribute__((visibility("default"))) riesz::Backend* riesz_make_cuda_backend(
    const riesz::CudaLibraryRequest* request, absl::Status* error) {
  if (std::strcmp(request->build, riesz::kCudaLibraryBuild) != 0) {
    *error = absl::FailedPreconditionError(std::string(riesz::kCudaLibraryName) + " is of \"" +
                                           riesz::kCudaLibraryBuild + "\", not of \"" +
                                           request->build + "\"");
    return nullptr;
  }
  auto runtime = riesz::cuda::OpenGpu(request->gpu);
  if (!runtime.ok()) {
    *error = std::move(runtime).status();
    return nullptr;
  }
  return riesz::cuda::MakeBackendOn(*std::move(runtime),
                                    {.threads = request->threads, .precision = request->precision})
      .release();
}
