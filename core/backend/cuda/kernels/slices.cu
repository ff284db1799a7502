// Bytes moved a slice: SortColumns 8 a key; SortAndRank 4 n in, 4 n out (scattered within the
// slice, which lies in L2) and 4 m from L2; WalkMerged from device memory 4 (n + m) and 8 n.
#include <algorithm>

#include "core/backend/cuda/kernels/block_sort.cuh"
#include "core/backend/cuda/kernels/block_sum.cuh"
#include "core/backend/cuda/kernels/slice_merge.cuh"
#include "core/backend/cuda/kernels/slices.h"
#include "core/backend/cuda/launch.h"

namespace riesz::cuda {
namespace {

constexpr int kWalkThreads = 256;    // at most
constexpr int64_t kWalkPoints = 16;  // of one thread that walks in device memory

// sums[0] <- the block's SliceSums. Shared: a double a warp.
__device__ void WriteBlockSums(const SliceSums& own, SliceSums* sums) {
  auto* scratch = reinterpret_cast<double*>(SharedMemory());
  SliceSums all;
  all.energy = BlockSum(own.energy, scratch);
  all.x_spread = BlockSum(own.x_spread, scratch);
  all.y_spread = BlockSum(own.y_spread, scratch);
  all.h_square = BlockSum(own.h_square, scratch);
  if (threadIdx.x == 0) *sums = all;
}

// projections (gridDim.x, stride): a block sorts columns [first, first + count) of its row.
template <int kThreads, int kItems>
__global__ void __launch_bounds__(kThreads)
    SortColumnsKernel(float* projections, int64_t stride, int64_t first, int count) {
  BlockSort<kThreads, kItems, false> sort(SharedMemory());
  float* row = projections + blockIdx.x * stride + first;
  for (int i = threadIdx.x; i < count; i += kThreads) sort.keys[i] = KeyOf(row[i]);
  __syncthreads();
  sort.Run(count);
  for (int i = threadIdx.x; i < count; i += kThreads) row[i] = __uint_as_float(sort.keys[i]);
}

// projections (gridDim.x, n + m): columns [n, n + m) sorted keys, [0, n) particles -> h;
// sums (gridDim.x)
template <int kThreads, int kItems>
__global__ void __launch_bounds__(kThreads)
    SortAndRankKernel(float* projections, SliceShape shape, bool values, SliceSums* sums) {
  BlockSort<kThreads, kItems, true> sort(SharedMemory());
  const int64_t points = shape.n + shape.m;
  float* row = projections + blockIdx.x * points;
  const auto n = static_cast<int>(shape.n);
  for (int i = threadIdx.x; i < n; i += kThreads) sort.keys[i] = KeyOf(row[i]);
  __syncthreads();
  sort.Run(n);
  const SortedSlice<uint16_t> slice{sort.keys, shape.n,      reinterpret_cast<uint32_t*>(row) + n,
                                    shape.m,   sort.indices, row};
  const int64_t share = (points + kThreads - 1) / kThreads;
  const int64_t begin = threadIdx.x * share;
  const SliceSums own =
      WalkMerged(slice, begin, begin + share < points ? begin + share : points, values);
  __syncthreads();  // the sums take the keys' memory
  WriteBlockSums(own, sums + blockIdx.x);
}

// x (slices, x_stride) and y (slices, y_stride) sorted keys; places (slices, n) or null; h
// (slices, h_stride) or null; sums (slices, gridDim.x); slice = blockIdx.y + first_slice.
__global__ void __launch_bounds__(kWalkThreads)
    WalkKernel(const uint32_t* x, int64_t x_stride, const uint32_t* y, int64_t y_stride,
               const uint32_t* places, float* h, int64_t h_stride, SliceShape shape,
               int64_t first_slice, bool values, SliceSums* sums) {
  const int64_t s = first_slice + blockIdx.y;
  const SortedSlice<uint32_t> slice{x + s * x_stride,
                                    shape.n,
                                    y + s * y_stride,
                                    shape.m,
                                    places == nullptr ? nullptr : places + s * shape.n,
                                    h == nullptr ? nullptr : h + s * h_stride};
  const int64_t points = shape.n + shape.m;
  const int64_t begin = (int64_t{blockIdx.x} * blockDim.x + threadIdx.x) * kWalkPoints;
  const int64_t end = begin + kWalkPoints < points ? begin + kWalkPoints : points;
  const SliceSums own = WalkMerged(slice, begin, end, values);
  WriteBlockSums(own, sums + s * gridDim.x + blockIdx.x);
}

// projections (gridDim.y, n + m) -> x_keys (gridDim.y, n), y_keys (gridDim.y, m), and x_places
// (gridDim.y, n) = column, or null
__global__ void __launch_bounds__(kWalkThreads)
    MakeKeysKernel(const float* __restrict__ projections, SliceShape shape, int64_t first_slice,
                   uint32_t* x_keys, uint32_t* x_places, uint32_t* y_keys) {
  const int64_t s = first_slice + blockIdx.y;
  const int64_t points = shape.n + shape.m;
  const int64_t i = int64_t{blockIdx.x} * kWalkThreads + threadIdx.x;
  if (i >= points) return;
  const uint32_t key = KeyOf(projections[s * points + i]);
  if (i >= shape.n) {
    y_keys[s * shape.m + i - shape.n] = key;
    return;
  }
  x_keys[s * shape.n + i] = key;
  if (x_places != nullptr) x_places[s * shape.n + i] = static_cast<uint32_t>(i);
}

// One size of block: what it holds, and its kernels. From small to large.
struct BlockSize {
  int threads;
  int64_t capacity;
  int64_t column_bytes, rank_bytes;  // of shared memory
  void (*sort_columns)(float*, int64_t, int64_t, int);
  void (*sort_and_rank)(float*, SliceShape, bool, SliceSums*);
};
template <int kThreads, int kItems>
constexpr BlockSize SizeOf() {
  return {kThreads,
          BlockSort<kThreads, kItems, false>::kCapacity,
          BlockSort<kThreads, kItems, false>::kSharedBytes,
          BlockSort<kThreads, kItems, true>::kSharedBytes,
          &SortColumnsKernel<kThreads, kItems>,
          &SortAndRankKernel<kThreads, kItems>};
}
const BlockSize kBlockSizes[] = {SizeOf<32, 4>(),   SizeOf<64, 8>(),   SizeOf<256, 8>(),
                                 SizeOf<512, 16>(), SizeOf<512, 32>(), SizeOf<512, 40>()};

const BlockSize* SizeFor(int64_t count) {
  for (const BlockSize& size : kBlockSizes) {
    if (count <= size.capacity) return &size;
  }
  return nullptr;
}

constexpr int64_t kMaxGridRows = 65535;

// Whole warps, no more than the points need.
int WalkThreads(SliceShape shape) {
  const int64_t warps = CeilDiv(shape.n + shape.m, kWalkPoints * kWarp);
  return static_cast<int>(std::min<int64_t>(warps * kWarp, kWalkThreads));
}

int64_t WalkParts(SliceShape shape) {
  return CeilDiv(shape.n + shape.m, WalkThreads(shape) * kWalkPoints);
}

// Walks rows of a grid at a time, since a grid has no more than kMaxGridRows.
absl::Status Walk(Device& device, const uint32_t* x, int64_t x_stride, const uint32_t* y,
                  int64_t y_stride, const uint32_t* places, float* h, int64_t slices,
                  SliceShape shape, bool values, SliceSums* sums) {
  for (int64_t first = 0; first < slices; first += kMaxGridRows) {
    const LaunchShape grid{.blocks = WalkParts(shape),
                           .rows = slices - first < kMaxGridRows ? slices - first : kMaxGridRows,
                           .threads = WalkThreads(shape),
                           .shared_bytes = kWalkThreads / kWarp * 8};
    if (absl::Status status = Launch(device, &WalkKernel, grid, x, x_stride, y, y_stride, places, h,
                                     shape.n + shape.m, shape, first, values, sums);
        !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

}  // namespace

SortStrategy ChooseSort(const DeviceFacts& facts, SliceShape shape) {
  const BlockSize* x = SizeFor(shape.n);
  const BlockSize* y = SizeFor(shape.m);
  const bool fits = x != nullptr && y != nullptr && x->rank_bytes <= facts.shared_bytes_per_block &&
                    y->column_bytes <= facts.shared_bytes_per_block;
  return fits ? SortStrategy::kBlock : SortStrategy::kDevice;
}

int64_t SliceParts(SortStrategy strategy, bool ranks, SliceShape shape) {
  return strategy == SortStrategy::kBlock && ranks ? 1 : WalkParts(shape);
}

absl::Status SortColumns(Device& device, float* projections, int64_t slices, int64_t stride,
                         int64_t first, int64_t count) {
  const BlockSize& size = *SizeFor(count);
  return Launch(device, size.sort_columns,
                {.blocks = slices, .threads = size.threads, .shared_bytes = size.column_bytes},
                projections, stride, first, static_cast<int>(count));
}

absl::Status SortAndRank(Device& device, float* projections, int64_t slices, SliceShape shape,
                         bool values, SliceSums* sums) {
  const BlockSize& size = *SizeFor(shape.n);
  return Launch(device, size.sort_and_rank,
                {.blocks = slices, .threads = size.threads, .shared_bytes = size.rank_bytes},
                projections, shape, values, sums);
}

absl::Status SortOnDevice(Device& device, const float* projections, int64_t slices,
                          SliceShape shape, const DeviceSortArrays& arrays) {
  for (int64_t first = 0; first < slices; first += kMaxGridRows) {
    const LaunchShape grid{.blocks = CeilDiv(shape.n + shape.m, kWalkThreads),
                           .rows = slices - first < kMaxGridRows ? slices - first : kMaxGridRows,
                           .threads = kWalkThreads};
    if (absl::Status status = Launch(device, &MakeKeysKernel, grid, projections, shape, first,
                                     arrays.x_keys, arrays.x_places, arrays.y_keys);
        !status.ok()) {
      return status;
    }
  }
  const SegmentSort x{.segments = slices,
                      .count = shape.n,
                      .keys = arrays.x_keys,
                      .sorted_keys = arrays.x_sorted,
                      .values = arrays.x_places,
                      .sorted_values = arrays.x_sorted_places,
                      .scratch = arrays.scratch};
  if (absl::Status status = device.SortSegments(x); !status.ok()) return status;
  const SegmentSort y{.segments = slices,
                      .count = shape.m,
                      .keys = arrays.y_keys,
                      .sorted_keys = arrays.y_sorted,
                      .scratch = arrays.scratch};
  return device.SortSegments(y);
}

absl::Status WalkDeviceSorted(Device& device, float* projections, int64_t slices, SliceShape shape,
                              const DeviceSortArrays& arrays, bool values, SliceSums* sums) {
  return Walk(device, arrays.x_sorted, shape.n, arrays.y_sorted, shape.m, arrays.x_sorted_places,
              arrays.x_sorted_places == nullptr ? nullptr : projections, slices, shape, values,
              sums);
}

absl::Status WalkColumns(Device& device, const float* projections, int64_t slices, SliceShape shape,
                         SliceSums* sums) {
  const auto* keys = reinterpret_cast<const uint32_t*>(projections);
  const int64_t points = shape.n + shape.m;
  return Walk(device, keys, points, keys + shape.n, points, nullptr, nullptr, slices, shape, true,
              sums);
}

}  // namespace riesz::cuda
