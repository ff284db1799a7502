// The sum of one double a thread over a block, always in the same order.
#pragma once

#include "core/backend/cuda/kernel_language.h"

namespace riesz::cuda {

// Thread 0 gets the sum: a tree over the lanes of each warp, then the warps in their order.
// scratch: a double a warp in shared memory. A barrier precedes and follows its use.
__device__ inline double BlockSum(double value, double* scratch) {
  for (int delta = kWarp / 2; delta > 0; delta /= 2) {
    value += __shfl_down_sync(kWholeWarp, value, static_cast<unsigned>(delta));
  }
  const unsigned warp = threadIdx.x / kWarp;
  __syncthreads();
  if (threadIdx.x % kWarp == 0) scratch[warp] = value;
  __syncthreads();
  if (threadIdx.x == 0) {
    for (unsigned w = 1; w < blockDim.x / kWarp; ++w) value += scratch[w];
  }
  return value;
}

}  // namespace riesz::cuda
