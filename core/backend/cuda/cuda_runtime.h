// A GPU through CUDA's runtime and cuBLAS.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "core/backend/cuda/device_runtime.h"

namespace riesz::cuda {

// GPUs that this process may use; 0 without a driver. NOT_FOUND with CUDA's reason where there are
// none.
absl::StatusOr<int> CountGpus();

// Opens GPU `index`. NOT_FOUND where there is no such GPU, or one that is too old for our kernels.
absl::StatusOr<std::unique_ptr<DeviceRuntime>> OpenGpu(int index);

}  // namespace riesz::cuda
