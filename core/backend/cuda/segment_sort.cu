// Two arrays by turns a pass, so that nothing is allocated; where CUB ends in the first, it is
// copied to the second.
#include <thrust/iterator/counting_iterator.h>
#include <thrust/iterator/transform_iterator.h>

#include <cub/device/device_segmented_radix_sort.cuh>

#include "core/backend/cuda/segment_sort.h"

namespace riesz::cuda {
namespace {

// Where segment `index` begins.
struct Offset {
  int64_t count;
  __host__ __device__ int64_t operator()(int64_t index) const { return index * count; }
};

}  // namespace

cudaError_t EnqueueSegmentSort(const SegmentSort& sort, cudaStream_t stream) {
  const auto begin =
      thrust::make_transform_iterator(thrust::counting_iterator<int64_t>(0), Offset{sort.count});
  const auto size = static_cast<int>(sort.segments * sort.count);
  const auto segments = static_cast<int>(sort.segments);
  cub::DoubleBuffer<uint32_t> keys(sort.keys, sort.sorted_keys);
  cub::DoubleBuffer<uint32_t> values(sort.values, sort.sorted_values);
  const bool pairs = sort.values != nullptr;
  const auto run = [&](void* scratch, size_t& bytes) {
    return pairs
               ? cub::DeviceSegmentedRadixSort::SortPairs(scratch, bytes, keys, values, size,
                                                          segments, begin, begin + 1, 0, 32, stream)
               : cub::DeviceSegmentedRadixSort::SortKeys(scratch, bytes, keys, size, segments,
                                                         begin, begin + 1, 0, 32, stream);
  };
  size_t bytes = 0;
  if (cudaError_t error = run(nullptr, bytes); error != cudaSuccess) return error;
  if (bytes > static_cast<size_t>(kSortScratchBytes)) return cudaErrorInvalidValue;
  bytes = static_cast<size_t>(kSortScratchBytes);
  if (cudaError_t error = run(sort.scratch, bytes); error != cudaSuccess) return error;
  const size_t array_bytes = static_cast<size_t>(size) * sizeof(uint32_t);
  if (keys.Current() != sort.sorted_keys) {
    if (cudaError_t error = cudaMemcpyAsync(sort.sorted_keys, sort.keys, array_bytes,
                                            cudaMemcpyDeviceToDevice, stream);
        error != cudaSuccess) {
      return error;
    }
  }
  if (!pairs || values.Current() == sort.sorted_values) return cudaSuccess;
  return cudaMemcpyAsync(sort.sorted_values, sort.values, array_bytes, cudaMemcpyDeviceToDevice,
                         stream);
}

}  // namespace riesz::cuda
