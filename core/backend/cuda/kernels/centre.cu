// FindCentre: a thread a coordinate; reads 63 d floats, in rows, so that a warp's reads are one
//   line. The median is the sample whose rank holds the middle: 63^2 comparisons in registers and
//   local memory, once an operation.
// FindLargest: grid-stride; reads `size` floats once. An integer maximum has no order to keep.
// CentreRows: a thread an element; reads and writes n d floats once.
#include <algorithm>
#include <cmath>

#include "core/backend/cuda/kernels/centre.h"
#include "core/backend/cuda/kernels/strided.cuh"
#include "core/backend/cuda/launch.h"

namespace riesz::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kSample = 63;
constexpr int64_t kMaxBlocks = 1024;  // of a grid-stride loop: fills any GPU several times

// y (m, d), centre (d)
__global__ void __launch_bounds__(kThreads)
    FindCentreKernel(const float* __restrict__ y, int64_t m, int64_t d, float* centre) {
  const int64_t k = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (k >= d) return;
  const int count = m < kSample ? static_cast<int>(m) : kSample;
  float sample[kSample];
  for (int i = 0; i < count; ++i) sample[i] = y[i * m / count * d + k];
  float median = 0;  // where nothing is comparable
  for (int i = 0; i < count; ++i) {
    int below = 0, equal = 0;
    for (int j = 0; j < count; ++j) {
      below += sample[j] < sample[i] ? 1 : 0;
      equal += sample[j] == sample[i] ? 1 : 0;
    }
    if (below <= count / 2 && count / 2 < below + equal) median = sample[i];
  }
  centre[k] = median;
}

// x (size), most (1)
__global__ void __launch_bounds__(kThreads)
    FindLargestKernel(const float* __restrict__ x, int64_t size, unsigned* most) {
  unsigned own = 0;
  const int64_t stride = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < size; i += stride) {
    const unsigned bits = __float_as_uint(x[i]) & 0x7fffffffu;
    own = bits > own ? bits : own;
  }
  for (int delta = kWarp / 2; delta > 0; delta /= 2) {
    const unsigned other = __shfl_down_sync(kWholeWarp, own, static_cast<unsigned>(delta));
    own = other > own ? other : own;
  }
  if (threadIdx.x % kWarp == 0) atomicMax(most, own);
}

// x (n, d), centre (d), out (n, d)
__global__ void __launch_bounds__(kThreads)
    CentreRowsKernel(const float* __restrict__ x, int64_t size, int64_t d,
                     const float* __restrict__ centre, float scale, float* __restrict__ out) {
  for (StridedElement e(size, d); e.inside(); e.Next()) {
    out[e.index] = (x[e.index] - centre[e.column]) * scale;
  }
}

LaunchShape Strided(int64_t size) {
  return {.blocks = std::min(CeilDiv(size, kThreads), kMaxBlocks), .threads = kThreads};
}

}  // namespace

absl::Status FindCentre(Device& device, const float* y, int64_t m, int64_t d, float* centre) {
  return Launch(device, &FindCentreKernel, {.blocks = CeilDiv(d, kThreads), .threads = kThreads}, y,
                m, d, centre);
}

absl::Status FindLargest(Device& device, const float* x, int64_t size, unsigned* most) {
  return Launch(device, &FindLargestKernel, Strided(size), x, size, most);
}

float ScaleFor(unsigned most_bits) {
  float most = 0;
  static_assert(sizeof most == sizeof most_bits);
  std::copy_n(reinterpret_cast<const char*>(&most_bits), sizeof most,
              reinterpret_cast<char*>(&most));
  if (!(most > 0) || !std::isfinite(most)) return 1;
  // Denormal data would ask for more than float32's largest power of two.
  return std::ldexp(1.0f, std::min(-std::ilogb(most), 126));
}

absl::Status CentreRows(Device& device, const float* x, int64_t n, int64_t d, const float* centre,
                        float scale, float* out) {
  return Launch(device, &CentreRowsKernel, Strided(n * d), x, n * d, d, centre, scale, out);
}

}  // namespace riesz::cuda
