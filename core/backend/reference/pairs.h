// Sums over all pairs of particles, in double: the exact energy distance and its gradient.
//
// Thread safety: the functions are pure but for what they add to.
#pragma once

#include <cstdint>
#include <span>

#include "core/matrix.h"

namespace riesz::reference {

// sum_j |point - others_j|^r. Euclidean norm over dim coordinates.
double SumOfPowers(std::span<const float> point, MatrixView others, double exponent);

// sums[k] += weight * sum_j r |t_j|^(r - 2) t_jk with t_j = point - others_j; a coinciding point
// adds 0 (for r <= 1 the kernel has a kink or cusp there, and 0 is its symmetric choice).
void AddGradientSums(std::span<const float> point, MatrixView others, double exponent,
                     double weight, std::span<double> sums);

}  // namespace riesz::reference
