// What the contract suite compares backends with: definitions summed over all pairs in double,
// shared with no backend, each with a bound for what float32 arithmetic may make of it.
//
// The bounds grant a backend this and no more, with e = 2^-24 and R the distance from the target's
// mean:
//   - coordinates may be rounded once after subtracting the mean: 8 e (R_i + R_j) a difference;
//   - a distance t may carry 32 e sqrt(d + 16) t: inner products of random signs, where pairs whose
//     product form would cancel are computed by differences;
//   - a projection may carry 2 e (1 + sqrt(d)) R. Where that leaves the order of two different
//   points
//     open, either order (or a tie) is right.
// Equal points are equal under every one of them.
#pragma once

#include <cstdint>
#include <vector>

#include "core/discrepancy_spec.h"
#include "tests/contract/points.h"

namespace riesz::contract {

// A value and how far a backend may be from it.
struct Bounded {
  double value = 0;
  double bound = 0;
};

Bounded ExactDistance(const Points& x, const Points& y, double exponent, Estimator estimator);
Bounded SlicedDistance(const Points& x, const Points& y, const DirectionSpec& directions,
                       Estimator estimator, uint64_t step = 0);

// n g_i for every particle, (n, d), and a bound of |n g_i - value| in the Euclidean norm, (n).
struct BoundedVelocity {
  std::vector<double> velocity;
  std::vector<double> bound;
};
BoundedVelocity ExactVelocity(const Points& x, const Points& y, double exponent);
BoundedVelocity SlicedVelocity(const Points& x, const Points& y, const DirectionSpec& directions,
                               uint64_t step = 0);

// All directions of a spec, (P, d).
std::vector<float> AllDirections(const DirectionSpec& spec, int64_t dim, uint64_t step);

}  // namespace riesz::contract
