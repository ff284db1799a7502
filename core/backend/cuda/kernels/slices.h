// Launches of the one-dimensional problem: from projections to ranks and values, a row a slice.
//
// projections (slices, n + m): x first. After SortTargets the y part holds sorted keys (integers,
// block_sort.cuh); after RankSlices the x part holds h, in the order of the particles.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "core/backend/cuda/device.h"

namespace riesz::cuda {

// Sums over one slice, to be divided: energy by (n m)^2 / 2, x_spread by n^2, y_spread by m^2
// (core/README.md). h_square: sum of h_i^2.
struct SliceSums {
  double energy = 0;
  double x_spread = 0;
  double y_spread = 0;
  double h_square = 0;
};

struct SliceShape {
  int64_t n = 0, m = 0;
};

// How slices of a shape are sorted; depends on shape and device model alone.
//   kBlock: a block sorts a side in shared memory, particles with 16-bit indices.
//   kDevice: the device's segmented sort, through arrays of keys.
enum class SortStrategy { kBlock, kDevice };
SortStrategy ChooseSort(const DeviceFacts& facts, SliceShape shape);

// Blocks that share one slice's walk, each with a SliceSums of its own: sums (slices, parts).
int64_t SliceParts(SortStrategy strategy, bool ranks, SliceShape shape);

// kBlock. Sorts columns [first, first + count) of every row into keys, in place.
absl::Status SortColumns(Device& device, float* projections, int64_t slices, int64_t stride,
                         int64_t first, int64_t count);
// kBlock, after SortColumns of the targets: sorts the particles and ranks them.
absl::Status SortAndRank(Device& device, float* projections, int64_t slices, SliceShape shape,
                         bool values, SliceSums* sums);

// Arrays of the kDevice strategy for `slices` at once.
struct DeviceSortArrays {
  uint32_t *x_keys = nullptr, *x_sorted = nullptr;           // (slices, n)
  uint32_t *x_places = nullptr, *x_sorted_places = nullptr;  // (slices, n); null without ranks
  uint32_t *y_keys = nullptr, *y_sorted = nullptr;           // (slices, m)
  void* scratch = nullptr;                                   // kSortScratchBytes
};
// kDevice: keys from projections, both sides sorted.
absl::Status SortOnDevice(Device& device, const float* projections, int64_t slices,
                          SliceShape shape, const DeviceSortArrays& arrays);
// Ranks (x_places not null: h to the x part of projections) and values of slices sorted by
// SortOnDevice.
absl::Status WalkDeviceSorted(Device& device, float* projections, int64_t slices, SliceShape shape,
                              const DeviceSortArrays& arrays, bool values, SliceSums* sums);
// Values of slices of which SortColumns has sorted both sides.
absl::Status WalkColumns(Device& device, const float* projections, int64_t slices, SliceShape shape,
                         SliceSums* sums);

}  // namespace riesz::cuda
