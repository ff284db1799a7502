#include "core/backend/cuda/slice_ranks.h"

#include "core/status_macros.h"

namespace riesz::cuda {

// Elements of every array; 0 where it is not needed.
struct SliceRanks::Sizes {
  int64_t x_keys = 0, x_places = 0, y_keys = 0;  // two arrays each
  int64_t sort_scratch = 0;
  int64_t sums = 0;  // on the device and on the host
};

SliceRanks::SliceRanks(Device& device, SliceShape shape, bool ranks)
    : device_(device),
      shape_(shape),
      ranks_(ranks),
      strategy_(ChooseSort(device.facts(), shape)),
      parts_(SliceParts(strategy_, ranks, shape)) {}

SliceRanks::Sizes SliceRanks::SizesOf(const DeviceFacts& facts, SliceShape shape, int64_t slices,
                                      int64_t max_count, bool ranks) {
  const SortStrategy strategy = ChooseSort(facts, shape);
  Sizes sizes;
  sizes.sums = slices * SliceParts(strategy, ranks, shape);
  if (strategy == SortStrategy::kBlock) return sizes;
  sizes.x_keys = max_count * shape.n;
  sizes.x_places = ranks ? sizes.x_keys : 0;
  sizes.y_keys = max_count * shape.m;
  sizes.sort_scratch = kSortScratchBytes;
  return sizes;
}

int64_t SliceRanks::Bytes(const DeviceFacts& facts, SliceShape shape, int64_t slices,
                          int64_t max_count, bool ranks) {
  const Sizes sizes = SizesOf(facts, shape, slices, max_count, ranks);
  using Keys = DeviceArray<uint32_t>;
  return 2 * (Keys::Bytes(sizes.x_keys) + Keys::Bytes(sizes.x_places) + Keys::Bytes(sizes.y_keys)) +
         DeviceArray<unsigned char>::Bytes(sizes.sort_scratch) +
         2 * DeviceArray<SliceSums>::Bytes(sizes.sums);
}

absl::StatusOr<std::unique_ptr<SliceRanks>> SliceRanks::Make(Device& device, SliceShape shape,
                                                             int64_t slices, int64_t max_count,
                                                             bool ranks) {
  std::unique_ptr<SliceRanks> made(new SliceRanks(device, shape, ranks));
  RIESZ_RETURN_IF_ERROR(made->Allocate(SizesOf(device.facts(), shape, slices, max_count, ranks)));
  return made;
}

absl::Status SliceRanks::Allocate(const Sizes& sizes) {
  constexpr char kSort[] = "sorting slices", kSums[] = "values of slices";
  const auto make = [&](DeviceArray<uint32_t>& array, int64_t size) -> absl::Status {
    RIESZ_ASSIGN_OR_RETURN(array, DeviceArray<uint32_t>::Make(device_, size, kSort));
    return absl::OkStatus();
  };
  RIESZ_RETURN_IF_ERROR(make(x_keys_, sizes.x_keys));
  RIESZ_RETURN_IF_ERROR(make(x_sorted_, sizes.x_keys));
  RIESZ_RETURN_IF_ERROR(make(x_places_, sizes.x_places));
  RIESZ_RETURN_IF_ERROR(make(x_sorted_places_, sizes.x_places));
  RIESZ_RETURN_IF_ERROR(make(y_keys_, sizes.y_keys));
  RIESZ_RETURN_IF_ERROR(make(y_sorted_, sizes.y_keys));
  RIESZ_ASSIGN_OR_RETURN(sort_scratch_,
                         DeviceArray<unsigned char>::Make(device_, sizes.sort_scratch, kSort));
  RIESZ_ASSIGN_OR_RETURN(sums_, DeviceArray<SliceSums>::Make(device_, sizes.sums, kSums));
  RIESZ_ASSIGN_OR_RETURN(sums_host_, PinnedArray<SliceSums>::Make(device_, sizes.sums, kSums));
  return absl::OkStatus();
}

DeviceSortArrays SliceRanks::Arrays() const {
  return {.x_keys = x_keys_.data(),
          .x_sorted = x_sorted_.data(),
          .x_places = x_places_.data(),
          .x_sorted_places = x_sorted_places_.data(),
          .y_keys = y_keys_.data(),
          .y_sorted = y_sorted_.data(),
          .scratch = sort_scratch_.data()};
}

absl::Status SliceRanks::SortFirst(float* projections, int64_t count) {
  if (strategy_ == SortStrategy::kDevice) {
    return SortOnDevice(device_, projections, count, shape_, Arrays());
  }
  return SortColumns(device_, projections, count, shape_.n + shape_.m, shape_.n, shape_.m);
}

absl::Status SliceRanks::Rank(float* projections, int64_t first, int64_t count, bool values) {
  SliceSums* sums = sums_.data() + first * parts_;
  if (strategy_ == SortStrategy::kDevice) {
    return WalkDeviceSorted(device_, projections, count, shape_, Arrays(), values, sums);
  }
  if (ranks_) return SortAndRank(device_, projections, count, shape_, values, sums);
  RIESZ_RETURN_IF_ERROR(SortColumns(device_, projections, count, shape_.n + shape_.m, 0, shape_.n));
  return WalkColumns(device_, projections, count, shape_, sums);
}

absl::Status SliceRanks::EnqueueToHost() {
  return device_.EnqueueToHost(sums_host_.data(), sums_.data(), sums_.bytes());
}

// Parts in their order.
SliceSums SliceRanks::Total(int64_t slice) const {
  SliceSums total;
  for (int64_t p = slice * parts_; p < (slice + 1) * parts_; ++p) {
    const SliceSums& part = sums_host_.data()[p];
    total.energy += part.energy;
    total.x_spread += part.x_spread;
    total.y_spread += part.y_spread;
    total.h_square += part.h_square;
  }
  return total;
}

}  // namespace riesz::cuda
