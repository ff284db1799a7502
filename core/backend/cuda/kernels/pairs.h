// Launches over pairs of particles, for any 0 < r < 2; never a matrix of all pairs.
//
// Distances come from differences of coordinates, not from inner products: twice the instructions,
// but nothing cancels, coinciding points are at distance 0 exactly, and no second path mends the
// pairs that lie close.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "core/backend/cuda/device.h"

namespace riesz::cuda {

// Pairs come in square tiles of this many particles a side.
inline constexpr int64_t kPairTile = 64;
// Most blocks, and so partial sums, of a launch of AddPairSums.
inline constexpr int64_t kPairSlots = 1024;

// Rows of an ensemble, (rows, d) row-major.
struct Rows {
  const float* data = nullptr;
  int64_t count = 0;
};

// sums (kPairSlots) += sums of |a_i - b_j|^r over tiles [first, first + count) of the
// CeilDiv(a) x CeilDiv(b) tiles of all ordered pairs, row by row. `same`: b is a; tiles below the
// diagonal are left out and those above counted twice.
absl::Status AddPairSums(Device& device, Rows a, Rows b, int64_t d, bool same, double exponent,
                         int64_t first, int64_t count, double* sums);

// weights (a.count, b.count) <- scale |a_i - b_j|^(r - 2), 0 where they coincide.
absl::Status WeighPairs(Device& device, Rows a, Rows b, int64_t d, double exponent, double scale,
                        float* weights);

// sums (a.count, d) += sum_j weights_ij (a_i - b_j), j in ascending order.
absl::Status AddWeightedDifferences(Device& device, Rows a, Rows b, int64_t d, const float* weights,
                                    float* sums);

}  // namespace riesz::cuda
