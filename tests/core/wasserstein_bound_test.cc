#include "core/wasserstein_bound.h"

#include <gtest/gtest.h>

#include <optional>

namespace riesz {
namespace {

std::optional<double> BoundOf(Method method, Estimator estimator, double exponent) {
  EnergyDistance value;
  value.energy_distance = 3;
  EnergyDistanceSpec spec;
  spec.method = method;
  spec.estimator = estimator;
  spec.exponent = exponent;
  return Wasserstein1LowerBound(value, spec);
}

TEST(Wasserstein1LowerBound, IsHalfOfAnExactVValueAtExponentOne) {
  EXPECT_EQ(BoundOf(Method::kExact, Estimator::kV, 1), 1.5);
}

TEST(Wasserstein1LowerBound, IsAbsentWhereItWouldNotBeOne) {
  EXPECT_FALSE(BoundOf(Method::kSliced, Estimator::kV, 1).has_value());
  EXPECT_FALSE(BoundOf(Method::kExact, Estimator::kU, 1).has_value());
  EXPECT_FALSE(BoundOf(Method::kExact, Estimator::kV, 1.5).has_value());
}

}  // namespace
}  // namespace riesz
