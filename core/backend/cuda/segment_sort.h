// CUB's segmented radix sort, which only nvcc compiles.
#pragma once

#include <cuda_runtime_api.h>

#include "core/backend/cuda/device_runtime.h"

namespace riesz::cuda {

// Queues `sort` on `stream`. cudaErrorInvalidValue when CUB wants more than kSortScratchBytes.
cudaError_t EnqueueSegmentSort(const SegmentSort& sort, cudaStream_t stream);

}  // namespace riesz::cuda
