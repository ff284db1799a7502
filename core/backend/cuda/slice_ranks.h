// From projections of a chunk of slices to ranks and values, by the strategy that fits the shape
// (kernels/slices.h), with the arrays that it needs.
//
// Thread safety: none; it belongs to its pass.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backend/cuda/device.h"
#include "core/backend/cuda/kernels/slices.h"

namespace riesz::cuda {

class SliceRanks {
 public:
  // `slices` in all, up to `max_count` at a time. `ranks`: particles are wanted, not values alone.
  // RESOURCE_EXHAUSTED.
  static absl::StatusOr<std::unique_ptr<SliceRanks>> Make(Device& device, SliceShape shape,
                                                          int64_t slices, int64_t max_count,
                                                          bool ranks);
  static int64_t Bytes(const DeviceFacts& facts, SliceShape shape, int64_t slices,
                       int64_t max_count, bool ranks);

  // Queues the two halves of the work on projections (count, n + m) of slices [first, first +
  // count). After Rank the particles' columns hold h, if ranks are wanted.
  absl::Status SortFirst(float* projections, int64_t count);
  absl::Status Rank(float* projections, int64_t first, int64_t count, bool values);
  // Queues a copy of all slices' sums to the host; Total reads it when it is done.
  absl::Status EnqueueToHost();
  SliceSums Total(int64_t slice) const;
  int64_t sums_bytes() const { return sums_.bytes(); }

 private:
  struct Sizes;
  SliceRanks(Device& device, SliceShape shape, bool ranks);
  static Sizes SizesOf(const DeviceFacts& facts, SliceShape shape, int64_t slices,
                       int64_t max_count, bool ranks);
  absl::Status Allocate(const Sizes& sizes);
  DeviceSortArrays Arrays() const;

  Device& device_;
  const SliceShape shape_;
  const bool ranks_;
  const SortStrategy strategy_;
  const int64_t parts_;  // SliceSums a slice
  DeviceArray<uint32_t> x_keys_, x_sorted_, x_places_, x_sorted_places_, y_keys_, y_sorted_;
  DeviceArray<unsigned char> sort_scratch_;
  DeviceArray<SliceSums> sums_;       // (slices, parts)
  PinnedArray<SliceSums> sums_host_;  // the same
};

}  // namespace riesz::cuda
