#include "core/kernel.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace riesz {
namespace {

TEST(SlicingConstant, HasTheKnownValuesAtExponentOne) {
  EXPECT_NEAR(SlicingConstant(2, 1), std::numbers::pi / 2, 1e-14);
  EXPECT_NEAR(SlicingConstant(3, 1), 2, 1e-14);
  EXPECT_NEAR(SlicingConstant(100, 1), 12.50185, 5e-6);
  EXPECT_NEAR(SlicingConstant(784, 1), 35.08161, 5e-6);
  EXPECT_NEAR(SlicingConstant(3072, 1), 69.46007, 5e-6);
}

TEST(SlicingConstant, IsOneInOneDimension) {
  for (const double r : {0.1, 1.0, 1.9}) EXPECT_EQ(SlicingConstant(1, r), 1);
}

TEST(SlicingConstant, IsTheQuotientOfGammaFunctions) {
  for (const int64_t d : {2, 3, 5, 31, 32, 33, 100, 300}) {
    for (const double r : {0.01, 0.5, 1.0, 1.5, 1.99}) {
      const auto dd = static_cast<double>(d);
      const double expected = std::sqrt(std::numbers::pi) *
                              std::exp(std::lgamma((dd + r) / 2) - std::lgamma(dd / 2)) /
                              std::tgamma((r + 1) / 2);
      // lgamma near 700 is good to 1e-13.
      EXPECT_NEAR(SlicingConstant(d, r) / expected, 1, 5e-13) << d << " " << r;
    }
  }
}

// c_{d+2,r} / c_{d,r} = (d + r) / d, by Gamma(z + 1) = z Gamma(z): exact at any size.
TEST(SlicingConstant, KeepsTwelveDigitsInAMillionDimensions) {
  for (const int64_t d : {10, 1000, 1 << 20}) {
    for (const double r : {0.3, 1.0, 1.7}) {
      const auto dd = static_cast<double>(d);
      EXPECT_NEAR(SlicingConstant(d + 2, r) / SlicingConstant(d, r) * dd / (dd + r), 1, 1e-14);
    }
    // c_{d,1}^2 = pi d / 2 (1 - 1/(2d) + 1/(8 d^2) + O(d^-3)).
    const auto dd = static_cast<double>(d);
    const double square = SlicingConstant(d, 1) * SlicingConstant(d, 1);
    const double expected = std::numbers::pi * dd / 2 * (1 - 0.5 / dd + 0.125 / (dd * dd));
    EXPECT_NEAR(square / expected, 1, 0.2 / (dd * dd * dd) + 1e-12);
  }
}

}  // namespace
}  // namespace riesz
