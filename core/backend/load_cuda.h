// Opens the cuda backend's library at run time (cuda/cuda_library.h says why).
//
// Thread safety: thread-safe.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "core/backend/backend.h"
#include "core/backend/cuda/cuda_library.h"
#include "core/backend/make_backend.h"

namespace riesz {

// The library's factory. Looks for libriesz_cuda.so at the path in the environment variable
// RIESZ_CUDA_LIBRARY if it is set, else beside this executable, in ../lib, and where the system
// looks. The library stays loaded. NOT_FOUND says what is missing, the library or one that it
// needs.
absl::StatusOr<CudaFactory> OpenCudaLibrary();

// A backend on GPU `gpu`, counted from 0. NOT_FOUND says what is missing: the driver (without one
// the library is not opened), the library, or the GPU.
absl::StatusOr<std::unique_ptr<Backend>> LoadCudaBackend(int gpu, const BackendOptions& options);

}  // namespace riesz
