// Sets of directions that cover the sphere of R^dim evenly: what a low-discrepancy block is before
// it is rotated (core/directions.h).
//
// v and -v are one direction here. In the plane: angles pi p / count. For 3 <= dim <= 30: a minimum
// of the mean over pairs of k(<xi, eta>), k(t) = sqrt(1 - t^2) + t asin t, found by descent from
// orthonormal rows. Up to constants that is the mean squared error, over all rotations of the set,
// of its average of |<xi, v>|, the slice function of a pair of points: (2 / (pi dim)) k(<xi, eta>)
// is the mean over unit vectors v of |<xi, v>| |<eta, v>|.
//
// Thread safety: safe. A set is made once a process by one thread, in 5 (R^3) to 30 ms (R^30) for
// 250 directions and 20 to 200 ms for the most; the latest kCachedDirectionSets are kept.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace riesz {

inline constexpr int64_t kMaxLowDiscrepancyDim = 30;
// Of one set in three dimensions or more: the time to make it grows as the square.
inline constexpr int64_t kMaxDirectionSet = 512;
inline constexpr int64_t kCachedDirectionSets = 64;

// Unit vectors (count, dim), row-major. The same floats for the same arguments in one build on one
// kind of processor. Requires 2 <= dim <= kMaxLowDiscrepancyDim and count >= 1, at most
// kMaxDirectionSet above the plane. Sets of the plane are cheap and not kept.
using DirectionSet = std::shared_ptr<const std::vector<float>>;
DirectionSet EvenDirections(int64_t dim, int64_t count);

// The mean squared error named above, relative to the square of the mean: E (A / E|<xi, v>| - 1)^2
// where A is the average of |<xi, v>| over the set. Requires unit rows (count, dim).
double MeanSquaredSliceError(const float* rows, int64_t count, int64_t dim);

}  // namespace riesz
