#include "core/wasserstein_bound.h"

namespace riesz {

std::optional<double> Wasserstein1LowerBound(const EnergyDistance& value,
                                             const EnergyDistanceSpec& spec) {
  const bool bounds =
      spec.method == Method::kExact && spec.estimator == Estimator::kV && spec.exponent == 1;
  return bounds ? std::optional(value.energy_distance / 2) : std::nullopt;
}

}  // namespace riesz
