// The standard error of a slice average, from the spread of independent blocks of directions.
//
// R independent blocks of b_1, ..., b_R slices (P together) with means m_k; m is the mean of all
// slices. Var(m_k) = s^2 / b_k for independent slices, and the same holds closely enough for blocks
// of one kind, so that
//   SE(m)^2 = sum_k b_k (m_k - m)^2 / ((R - 1) P).
// It is unbiased when b_k m_k varies as b_k, exact for equal blocks. (The error of an evenly spread
// set falls faster than that with its size; the sizes of low-discrepancy blocks differ by one at
// most, which moves SE^2 by O(1/b).) Every iid slice is a block of
// its own (b = 1, R = P). One block leaves nothing to estimate from: absent. In one dimension the
// one slice is everything: 0.
//
// These are errors *given the particles*; how far particles are from their population is another
// error, which no slice can tell.
//
// Thread safety: the functions are pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "core/directions.h"

namespace riesz {

// R: slices of an iid spec, blocks of any other, 1 in one dimension.
int64_t IndependentBlockCount(const DirectionSpec& spec, int64_t dim);

struct SliceMean {
  double mean = 0;
  std::optional<double> standard_error;
};

// Mean of one number a slice. values: (SliceCount(spec, dim)), in the order of slices.
SliceMean AverageSlices(std::span<const double> values, const DirectionSpec& spec, int64_t dim);

// The same for a mean of vectors, from sums: with S_k the sum over block k's slices and S over all,
//   block_squares = sum_k |S_k|^2 / b_k,   total_square = |S|^2,
// returns the root of E|S/P - mean|^2. Several vectors (one a particle) may be added into both
// arguments; the result is then the root of the sum of their squared errors.
std::optional<double> MeanVectorError(double block_squares, double total_square,
                                      const DirectionSpec& spec, int64_t dim);

}  // namespace riesz
