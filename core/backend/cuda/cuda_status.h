// From CUDA's errors to ours: the one place.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime_api.h>

#include "absl/status/status.h"

namespace riesz::cuda {

// OK; RESOURCE_EXHAUSTED (no text: whoever asked knows what for) when memory ran out; INTERNAL when
// we asked for nonsense, which leaves the device as it was; UNAVAILABLE for everything else, since
// CUDA's other errors stay with the process's context for good. `call` names what was asked.
absl::Status StatusOf(cudaError_t error, const char* call);
absl::Status StatusOf(cublasStatus_t status, const char* call);

}  // namespace riesz::cuda
