// All kernels: grid-stride over elements in ReductionSlots blocks, whose share of the elements
// depends on the size alone; sums in double: a warp's by a tree of shuffles, a block's by
// one thread over its warps. Bytes moved: ScaleAndSquare 8 an element, UpdateFlow 20, SplitTf32 12.
#include <algorithm>
#include <cmath>

#include "core/backend/cuda/kernels/block_sum.cuh"
#include "core/backend/cuda/kernels/flow_update.h"
#include "core/backend/cuda/kernels/strided.cuh"
#include "core/backend/cuda/launch.h"

namespace riesz::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kMaxSlots = 512;

// values (size), squares (gridDim.x)
__global__ void __launch_bounds__(kThreads)
    ScaleAndSquareKernel(float* values, int64_t size, float scale, double* squares) {
  double sum = 0;
  const int64_t stride = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < size; i += stride) {
    const double value = values[i];
    sum += value * value;
    values[i] *= scale;
  }
  sum = BlockSum(sum, reinterpret_cast<double*>(SharedMemory()));
  if (threadIdx.x == 0) squares[blockIdx.x] = sum;
}

// Shapes as in FlowUpdate; squares (gridDim.x), non_finite (1)
__global__ void __launch_bounds__(kThreads)
    UpdateFlowKernel(FlowUpdate u, double* squares, unsigned* non_finite) {
  double sum = 0;
  unsigned bad = 0;
  for (StridedElement e(u.size, u.dim); e.inside(); e.Next()) {
    const int64_t i = e.index;
    const bool moves = u.frozen[e.column] == 0;
    const float gradient = moves ? u.velocity[i] : 0.0f;
    sum += static_cast<double>(gradient) * gradient;
    const float kept = moves ? u.momentum * u.old_velocity[i] : 0.0f;
    const float v = gradient * u.scale + kept;
    const float x = u.particles[i] - u.stride * v;
    u.velocity[i] = v;
    u.next[i] = x;
    // 0 * t is 0 exactly if t is finite.
    if (0.0f * v + 0.0f * x != 0.0f) bad = 1;
  }
  if (bad != 0) atomicOr(non_finite, 1u);
  sum = BlockSum(sum, reinterpret_cast<double*>(SharedMemory()));
  if (threadIdx.x == 0) squares[blockIdx.x] = sum;
}

// values, high, low (size)
__global__ void __launch_bounds__(kThreads)
    SplitTf32Kernel(const float* values, int64_t size, float* high, float* low) {
  const int64_t stride = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < size; i += stride) {
    const float value = values[i];
    const float top = __uint_as_float(__float_as_uint(value) & 0xffffe000u);
    low[i] = value - top;
    high[i] = top;
  }
}

LaunchShape SlotsFor(int64_t size) {
  return {
      .blocks = ReductionSlots(size), .threads = kThreads, .shared_bytes = kThreads / kWarp * 8};
}

}  // namespace

int64_t ReductionSlots(int64_t size) { return std::min(CeilDiv(size, kThreads), kMaxSlots); }

absl::Status ScaleAndSquare(Device& device, float* values, int64_t size, float scale,
                            double* squares) {
  return Launch(device, &ScaleAndSquareKernel, SlotsFor(size), values, size, scale, squares);
}

absl::Status UpdateFlow(Device& device, const FlowUpdate& update, double* squares,
                        unsigned* non_finite) {
  return Launch(device, &UpdateFlowKernel, SlotsFor(update.size), update, squares, non_finite);
}

absl::Status SplitTf32(Device& device, const float* values, int64_t size, float* high, float* low) {
  return Launch(device, &SplitTf32Kernel, SlotsFor(size), values, size, high, low);
}

}  // namespace riesz::cuda
