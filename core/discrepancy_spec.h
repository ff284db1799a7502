// What to compute between two ensembles: values without behaviour.
//
// Conventions (Szekely): E = 2 E|X-Y|^r - E|X-X'|^r - E|Y-Y'|^r is the energy distance, the only
// distance that is ever returned; D^2 = E / 2 is the functional whose gradient flows descend.
#pragma once

#include <cstdint>
#include <optional>

#include "core/directions.h"

namespace riesz {

enum class Method {
  kExact,   // all pairs, any 0 < r < 2
  kSliced,  // one sort per slice; gradients need r > 1/2
};

enum class Estimator {
  kV,  // diagonal kept: biased, never negative
  kU,  // diagonal left out: unbiased, may be negative; needs n >= 2 and m >= 2
};

struct EnergyDistanceSpec {
  Method method = Method::kExact;
  Estimator estimator = Estimator::kV;
  double exponent = 1;       // 0 < r < 2
  DirectionSpec directions;  // read when sliced
  // Directions are those of (directions.seed, round): rounds are independent of each other.
  int64_t round = 0;
};

struct EnergyDistance {
  double energy_distance = 0;  // units of |x|^r
  // Standard error of the value as an estimate of the exact one of the same particles. Absent for
  // exact values and where a single block of directions leaves nothing to estimate it from.
  std::optional<double> slicing_standard_error;
  int64_t slices = 0;  // directions used; 0 when exact, 1 when d = 1
  int64_t blocks = 0;  // independent blocks behind the error (= slices when iid); 0 when exact
};

// The gradient is always of the V-statistic (the diagonal's gradient is 0).
struct GradientSpec {
  Method method = Method::kSliced;
  double exponent = 1;  // 0 < r < 2; r > 1/2 when sliced
  DirectionSpec directions;
};

struct GradientSummary {
  // Root mean square over particles of |n g_i|, the speed at which each particle would move.
  double rms_velocity = 0;
  // Root mean square over particles of the slicing error of n g_i; absent as above.
  std::optional<double> slicing_standard_error;
  int64_t slices = 0;
  int64_t blocks = 0;
};

}  // namespace riesz
