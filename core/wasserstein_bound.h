// What an energy distance says about the 1-Wasserstein distance W_1 between the same two samples.
//
// Thread safety: the function is pure.
#pragma once

#include <optional>

#include "core/discrepancy_spec.h"

namespace riesz {

// E / 2 <= W_1, in units of |x|. With (X, Y) and (X', Y') independent draws of an optimal coupling,
// E|X - Y'| is at most E|X - X'| + W_1 and at most E|Y - Y'| + W_1 by the triangle inequality; the
// sum of both is 2 E|X - Y'| <= E|X - X'| + E|Y - Y'| + 2 W_1. Equality for two Diracs.
//
// Absent unless the value is exact, of the V-statistic and r = 1: a sliced value is an estimate,
// and the U-statistic is not the energy distance of the samples.
std::optional<double> Wasserstein1LowerBound(const EnergyDistance& value,
                                             const EnergyDistanceSpec& spec);

}  // namespace riesz
