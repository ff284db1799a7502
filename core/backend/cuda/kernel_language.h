// The words that kernels are written in: CUDA's own under nvcc; under any other compiler the same
// words with the same meaning over an emulated grid, so that tests run the very source of a kernel
// on the host.
//
// Kernels keep to these words: threadIdx, blockIdx, blockDim, gridDim; __syncthreads, __syncwarp,
// __shfl_sync, __shfl_down_sync, __shfl_up_sync, __match_any_sync with all 32 lanes; atomicAdd,
// atomicMax and atomicOr on integers; SharedMemory(), which is the block's dynamic shared memory,
// 16-byte aligned. Blocks are whole warps.
#pragma once

#include <cstdint>

#ifdef __CUDACC__
#include <cuda_runtime.h>

// Before a loop over registers.
#define RIESZ_UNROLL _Pragma("unroll")

namespace riesz::cuda {

__device__ inline unsigned char* SharedMemory() {
  extern __shared__ __align__(16) unsigned char shared_memory[];
  return shared_memory;
}

}  // namespace riesz::cuda
#else
#include "tests/support/emulated_grid.h"

#define RIESZ_UNROLL
#endif

namespace riesz::cuda {

inline constexpr int kWarp = 32;
inline constexpr unsigned kWholeWarp = 0xffffffffu;

}  // namespace riesz::cuda
