// The backend on one GPU, over a DeviceRuntime: everything but CUDA itself.
#pragma once

#include <memory>

#include "core/backend/backend.h"
#include "core/backend/cuda/device_runtime.h"
#include "core/backend/matrix_precision.h"

namespace riesz::cuda {

struct CudaOptions {
  int threads = 1;  // that make orthogonal directions on the host
  MatrixPrecision precision = MatrixPrecision::kFp32;
};

std::unique_ptr<Backend> MakeBackendOn(std::unique_ptr<DeviceRuntime> runtime,
                                       const CudaOptions& options);

}  // namespace riesz::cuda
