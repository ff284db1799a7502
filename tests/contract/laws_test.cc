// Laws of the energy distance and its gradient that need no second implementation.
#include <cmath>
#include <numbers>

#include "tests/contract/contract.h"
#include "tests/contract/oracle.h"

namespace riesz::contract {
namespace {

class Laws : public BackendContract {
 protected:
  // What float32 may make of the value, and of another one computed from moved or turned points.
  double Tolerance(const Points& x, const Points& y, double r = 1) {
    return 2 * ExactDistance(x, y, r, Estimator::kV).bound;
  }
};
RIESZ_ON_EVERY_BACKEND(Laws);

constexpr double kExponents[] = {0.1, 0.5, 1, 1.5, 1.9};

TEST_P(Laws, DistanceOfEqualEnsemblesIsZero) {
  const Points x = Normals(70, 5, 1);
  for (const double r : kExponents) EXPECT_NEAR(Exact(x, x, r), 0, Tolerance(x, x, r)) << r;
  const EnergyDistance e = Sliced(x, x, {.count = 20, .seed = 3});
  // Equal projections leave nothing but rounding of the sum.
  EXPECT_NEAR(e.energy_distance, 0, 1e-12);
  EXPECT_GE(e.energy_distance, 0);
}

TEST_P(Laws, GradientIsZeroWhenEnsemblesAreEqual) {
  const Points x = Normals(70, 5, 1);
  for (const float g : SlicedGradient(x, x, {.count = 20, .seed = 3}).values) EXPECT_EQ(g, 0);
  for (const double r : kExponents) {
    const BoundedVelocity oracle = ExactVelocity(x, x, r);
    const Gradient g = ExactGradient(x, x, r);
    for (int64_t i = 0; i < x.n * x.d; ++i) {
      EXPECT_NEAR(g.values[static_cast<size_t>(i)] * static_cast<double>(x.n), 0,
                  oracle.bound[static_cast<size_t>(i / x.d)]);
    }
  }
}

TEST_P(Laws, DistanceIsSymmetric) {
  const Points x = Normals(33, 7, 1), y = Normals(65, 7, 2, 2.0f, 0.5f);
  for (const double r : kExponents) {
    EXPECT_NEAR(Exact(x, y, r), Exact(y, x, r), Tolerance(x, y, r) + Tolerance(y, x, r)) << r;
  }
  const DirectionSpec directions{.count = 21, .seed = 5};
  EXPECT_NEAR(Sliced(x, y, directions).energy_distance, Sliced(y, x, directions).energy_distance,
              SlicedDistance(x, y, directions, Estimator::kV).bound +
                  SlicedDistance(y, x, directions, Estimator::kV).bound);
}

TEST_P(Laws, DistanceDoesNotNoticeATranslation) {
  // Multiples of 1/16 below 32, moved by 512: exact in float32.
  Points x = Integers(40, 6, 1, 512), y = Integers(50, 6, 2, 400);
  for (Points* p : {&x, &y}) {
    for (float& v : p->values) v /= 16;
  }
  Points x_moved = x, y_moved = y;
  for (Points* p : {&x_moved, &y_moved}) {
    for (float& v : p->values) v += 512;
  }
  for (const double r : kExponents) {
    EXPECT_NEAR(Exact(x, y, r), Exact(x_moved, y_moved, r), Tolerance(x, y, r)) << r;
  }
}

TEST_P(Laws, DistanceDoesNotNoticeARotation) {
  const Points x = Normals(40, 6, 1), y = Normals(50, 6, 2, 1.5f);
  const auto turned = [](Points p) {
    for (int64_t i = 0; i < p.n; ++i) {
      for (int64_t k = 0; k + 1 < p.d; ++k) {
        const double angle = 0.4 + static_cast<double>(k);
        const double a = p.at(i, k), b = p.at(i, k + 1);
        p.at(i, k) = static_cast<float>(std::cos(angle) * a - std::sin(angle) * b);
        p.at(i, k + 1) = static_cast<float>(std::sin(angle) * a + std::cos(angle) * b);
      }
    }
    return p;
  };
  // A coordinate is rounded at most twice: less than the 8 e R that the tolerance grants it.
  for (const double r : kExponents) {
    EXPECT_NEAR(Exact(x, y, r), Exact(turned(x), turned(y), r), Tolerance(x, y, r)) << r;
  }
}

TEST_P(Laws, DistanceScalesWithThePowerOfTheExponent) {
  const Points x = Normals(40, 6, 1), y = Normals(50, 6, 2, 1.5f);
  for (const float c : {0.25f, 4.0f, 1024.0f}) {
    Points cx = x, cy = y;
    for (float& v : cx.values) v *= c;
    for (float& v : cy.values) v *= c;
    for (const double r : kExponents) {
      const double power = std::pow(c, r);
      EXPECT_NEAR(Exact(cx, cy, r), power * Exact(x, y, r), power * Tolerance(x, y, r)) << r;
    }
    // A power of two changes no rounding, so projections and ranks are the same bits.
    const DirectionSpec directions{.count = 12, .seed = 5};
    EXPECT_NEAR(Sliced(cx, cy, directions).energy_distance,
                c * Sliced(x, y, directions).energy_distance, c * 1e-12);
    EXPECT_EQ(SlicedGradient(cx, cy, directions).values, SlicedGradient(x, y, directions).values);
  }
}

TEST_P(Laws, TwoDiracsAreTwiceTheirDistanceToThePowerApart) {
  for (const int64_t d : {1, 3, 100}) {
    const Points x(1, d);
    Points y(1, d);
    y.at(0, d - 1) = 3;
    for (const double r : kExponents) {
      // Nothing is subtracted but zeros.
      EXPECT_NEAR(Exact(x, y, r), 2 * std::pow(3, r), 1e-5) << d << " " << r;
      // n g = r a^(r-1), away from y.
      EXPECT_NEAR(ExactGradient(x, y, r).values[static_cast<size_t>(d - 1)],
                  -r * std::pow(3, r - 1), 1e-5);
    }
  }
}

TEST_P(Laws, DistanceIsNeverNegativeAsAVStatistic) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const Points x = Normals(30, 3, seed), y = Normals(30, 3, seed + 100);
    EXPECT_GE(Exact(x, y), -Tolerance(x, y));
    EXPECT_GE(Sliced(x, y, {.count = 5, .seed = seed}).energy_distance, 0);
  }
}

TEST_P(Laws, PermutedRowsPermuteTheGradient) {
  const Points x = Normals(67, 5, 1), y = Normals(45, 5, 2, 1.5f);
  const std::vector<int64_t> order = ChooseRows(1, x.n, x.n);
  const Points x_permuted = Permuted(x, order), y_permuted = Permuted(y, ChooseRows(2, y.n, y.n));
  const DirectionSpec directions{.count = 15, .seed = 5};
  const BoundedVelocity sliced = SlicedVelocity(x, y, directions);
  const BoundedVelocity exact = ExactVelocity(x, y, 1);
  const std::vector<float> g_sliced = SlicedGradient(x, y, directions).values;
  const std::vector<float> p_sliced = SlicedGradient(x_permuted, y_permuted, directions).values;
  const std::vector<float> g_exact = ExactGradient(x, y).values;
  const std::vector<float> p_exact = ExactGradient(x_permuted, y_permuted).values;
  const auto n = static_cast<double>(x.n);
  for (int64_t i = 0; i < x.n; ++i) {
    const auto from = static_cast<size_t>(order[static_cast<size_t>(i)]);
    for (size_t k = 0; k < 5; ++k) {
      const auto to = static_cast<size_t>(i) * 5 + k;
      EXPECT_NEAR(n * p_sliced[to], n * g_sliced[from * 5 + k], 2 * sliced.bound[from]);
      EXPECT_NEAR(n * p_exact[to], n * g_exact[from * 5 + k], 2 * exact.bound[from]);
    }
  }
}

// In one dimension the gradient counts targets on either side; how far they are is nothing to it.
TEST_P(Laws, AFarOutlierIsOneTargetLikeAnother) {
  const Points x = Normals(50, 1, 1);
  Points near = Normals(200, 1, 2), far = near;
  near.at(7, 0) = 1e3f;
  far.at(7, 0) = 1e10f;
  const DirectionSpec directions{.count = 1, .seed = 3};
  EXPECT_EQ(SlicedGradient(x, far, directions).values, SlicedGradient(x, near, directions).values);
}

TEST_P(Laws, OneDimensionNeedsNoSlices) {
  const Points x = Normals(33, 1, 1), y = Integers(20, 1, 2, 4);
  for (const Estimator estimator : {Estimator::kV, Estimator::kU}) {
    for (const DirectionKind kind : KindsFor(1)) {
      const EnergyDistance e = Sliced(x, y, {.kind = kind, .count = 50, .seed = 3}, estimator);
      const Bounded exact = ExactDistance(x, y, 1, estimator);
      EXPECT_NEAR(e.energy_distance, exact.value, exact.bound);
      EXPECT_NEAR(e.energy_distance, Exact(x, y, 1, estimator), 2 * exact.bound);
      EXPECT_EQ(e.slices, 1);
      ASSERT_TRUE(e.slicing_standard_error.has_value());
      EXPECT_EQ(*e.slicing_standard_error, 0);
    }
  }
  const Gradient sliced = SlicedGradient(x, y, {.count = 50, .seed = 3});
  const Gradient exact = ExactGradient(x, y);
  EXPECT_EQ(sliced.summary.slices, 1);
  ASSERT_TRUE(sliced.summary.slicing_standard_error.has_value());
  EXPECT_EQ(*sliced.summary.slicing_standard_error, 0);
  // Velocities are of order 1 in steps of 1 / (n m); sums of signs round by 60 e at most.
  for (size_t i = 0; i < 33; ++i) {
    EXPECT_NEAR(33 * sliced.values[i], 33 * exact.values[i], 60 * 0x1p-24);
  }
}

TEST_P(Laws, EnergyDistanceReportsItsMethod) {
  const Points x = Normals(10, 4, 1), y = Normals(10, 4, 2);
  const EnergyDistance exact = Distance(x, y, {.method = Method::kExact, .directions = {}});
  EXPECT_EQ(exact.slices, 0);
  EXPECT_EQ(exact.blocks, 0);
  EXPECT_FALSE(exact.slicing_standard_error.has_value());
  const EnergyDistance iid = Sliced(x, y, {.kind = DirectionKind::kIid, .count = 10});
  EXPECT_EQ(iid.slices, 10);
  EXPECT_EQ(iid.blocks, 10);
  const EnergyDistance orthogonal = Sliced(x, y, {.count = 10});
  EXPECT_EQ(orthogonal.slices, 10);
  EXPECT_EQ(orthogonal.blocks, 3);
  // One block has no spread, and no error is invented for it.
  EXPECT_FALSE(Sliced(x, y, {.count = 4}).slicing_standard_error.has_value());
  EXPECT_FALSE(SlicedGradient(x, y, {.count = 4}).summary.slicing_standard_error.has_value());
}

TEST_P(Laws, RoundsDrawDirectionsOfTheirOwn) {
  const Points x = Normals(20, 4, 1), y = Normals(30, 4, 2);
  EnergyDistanceSpec spec{.method = Method::kSliced,
                          .estimator = Estimator::kV,
                          .exponent = 1,
                          .directions = {.count = 10, .seed = 3},
                          .round = 1};
  const double first = Distance(x, y, spec).energy_distance;
  EXPECT_EQ(Distance(x, y, spec).energy_distance, first);
  spec.round = 0;
  EXPECT_NE(Distance(x, y, spec).energy_distance, first);
}

}  // namespace
}  // namespace riesz::contract
