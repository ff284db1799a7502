// Every backend against definitions in double, over shapes that end in the middle of every tile.
#include "tests/contract/oracle.h"

#include <algorithm>
#include <cmath>

#include "tests/contract/contract.h"

namespace riesz::contract {
namespace {

class AgainstOracle : public BackendContract {
 protected:
  void ExpectVelocity(const Gradient& gradient, const BoundedVelocity& oracle, int64_t n,
                      int64_t d) {
    double square = 0, square_bound = 0;
    for (int64_t i = 0; i < n; ++i) {
      double error = 0;
      for (int64_t k = 0; k < d; ++k) {
        const auto e = static_cast<size_t>(i * d + k);
        const double velocity = static_cast<double>(gradient.values[e]) * static_cast<double>(n);
        error += std::pow(velocity - oracle.velocity[e], 2);
        square += oracle.velocity[e] * oracle.velocity[e];
      }
      const double bound = oracle.bound[static_cast<size_t>(i)];
      EXPECT_LE(std::sqrt(error), bound) << "particle " << i;
      square_bound += bound * bound;
    }
    const double root_n = std::sqrt(static_cast<double>(n));
    EXPECT_NEAR(gradient.summary.rms_velocity, std::sqrt(square) / root_n,
                std::sqrt(square_bound) / root_n);
  }

  void ExpectAll(const Points& x, const Points& y, int64_t slices,
                 const std::vector<double>& exponents) {
    SCOPED_TRACE(testing::Message() << "n " << x.n << ", m " << y.n << ", d " << x.d);
    std::vector<Estimator> estimators = {Estimator::kV};
    if (x.n > 1 && y.n > 1) estimators.push_back(Estimator::kU);
    for (const double r : exponents) {
      SCOPED_TRACE(testing::Message() << "exponent " << r);
      for (const Estimator estimator : estimators) {
        const Bounded oracle = ExactDistance(x, y, r, estimator);
        EXPECT_NEAR(Exact(x, y, r, estimator), oracle.value, oracle.bound);
      }
      ExpectVelocity(ExactGradient(x, y, r), ExactVelocity(x, y, r), x.n, x.d);
    }
    for (const DirectionKind kind : KindsFor(x.d)) {
      SCOPED_TRACE(testing::Message() << "directions of kind " << static_cast<int>(kind));
      const DirectionSpec directions{.kind = kind, .count = slices, .seed = 11};
      for (const Estimator estimator : estimators) {
        const Bounded oracle = SlicedDistance(x, y, directions, estimator);
        EXPECT_NEAR(Sliced(x, y, directions, estimator).energy_distance, oracle.value,
                    oracle.bound);
      }
      ExpectVelocity(SlicedGradient(x, y, directions), SlicedVelocity(x, y, directions), x.n, x.d);
    }
  }
};
RIESZ_ON_EVERY_BACKEND(AgainstOracle);

const std::vector<double> kAllExponents = {0.1, 0.5, 1, 1.5, 1.9};

TEST_P(AgainstOracle, AgreesOverShapes) {
  const struct {
    int64_t n, m, d, slices;
  } shapes[] = {{1, 1, 1, 1},     {1, 1, 2, 3},       {1, 5, 3, 2},     {7, 1, 2, 5},
                {2, 3, 17, 40},   {31, 33, 16, 7},    {33, 65, 17, 13}, {64, 32, 12, 12},
                {300, 129, 5, 9}, {31, 257, 130, 11}, {97, 89, 31, 37}};
  for (const auto& [n, m, d, slices] : shapes) {
    ExpectAll(Normals(n, d, 1), Normals(m, d, 2, 1.5f, 0.25f), slices, kAllExponents);
  }
}

TEST_P(AgainstOracle, AgreesInManyDimensions) {
  ExpectAll(Normals(20, 784, 1), Normals(35, 784, 2, 0.5f, 0.5f), 40, {1, 1.5});
  ExpectAll(Normals(3, 3000, 1), Normals(5, 3000, 2), 12, {1});
}

TEST_P(AgainstOracle, AgreesOverManySlices) {
  ExpectAll(Normals(5, 3, 1), Normals(9, 3, 2, 0.5f), 1500, {1});
  ExpectAll(Normals(5, 400, 1), Normals(9, 400, 2, 0.5f), 1100, {1});
}

TEST_P(AgainstOracle, CountsTiesByTheMidRankRule) {
  // Duplicates within and between the ensembles, in one dimension and in few points of the plane.
  ExpectAll(Integers(90, 1, 1, 7), Integers(61, 1, 2, 9), 1, kAllExponents);
  ExpectAll(Integers(90, 2, 1, 3), Integers(61, 2, 2, 3), 20, kAllExponents);
  ExpectAll(Integers(40, 20, 1, 1), Integers(61, 20, 2, 1), 20, kAllExponents);
}

TEST_P(AgainstOracle, SignOfZeroMakesNoDifference) {
  const Points x(3, 1, {-0.0f, 0.0f, 1.0f}), y(2, 1, {0.0f, -0.0f});
  const Points plain(3, 1, {0.0f, 0.0f, 1.0f});
  EXPECT_EQ(SlicedGradient(x, y, {.count = 1}).values,
            SlicedGradient(plain, y, {.count = 1}).values);
  ExpectAll(x, y, 1, {1});
}

TEST_P(AgainstOracle, KeepsItsDigitsFarFromTheOrigin) {
  ExpectAll(Normals(60, 20, 1, 1, 1000), Normals(70, 20, 2, 1.5f, 1000), 30, kAllExponents);
  // Separations within clusters are near the resolution of float32 at 1000 (6e-5).
  ExpectAll(Clusters(60, 40, 1, 5, 1e-3f, 1000), Clusters(70, 40, 1, 5, 1e-3f, 1000), 30,
            kAllExponents);
  ExpectAll(Clusters(60, 40, 1, 5, 1e-4f, 0), Clusters(70, 40, 1, 5, 1e-4f, 0), 30, kAllExponents);
}

TEST_P(AgainstOracle, CoversAWideRangeOfScales) {
  for (const float scale : {1e-30f, 1e-15f, 1e-6f, 1e6f, 1e15f, 1e30f}) {
    SCOPED_TRACE(scale);
    ExpectAll(Normals(20, 30, 1, scale), Normals(25, 30, 2, 1.5f * scale), 20, {0.5, 1, 1.5});
  }
  // Where directions are rounded and products may run on a matrix unit.
  for (const float scale : {1e-30f, 1e36f}) {
    SCOPED_TRACE(scale);
    ExpectAll(Normals(20, 64, 1, scale), Normals(25, 64, 2, 1.5f * scale), 70, {});
  }
  // Both scales in one ensemble.
  Points x = Normals(20, 3, 1), y = Normals(25, 3, 2);
  for (int64_t i = 0; i < 10; ++i) {
    for (int64_t k = 0; k < 3; ++k) x.at(i, k) *= 1e8f;
  }
  ExpectAll(x, y, 20, {0.5, 1, 1.5});
}

// Differences of 6e38 are beyond float32: nothing may be made up.
TEST_P(AgainstOracle, ValuesBeyondFloat32AreNotFiniteOnes) {
  for (const int64_t d : {4, 20, 40}) {
    Points x(33, d), y(5, d);
    std::fill(x.values.begin(), x.values.end(), -3e38f);
    std::fill(y.values.begin(), y.values.end(), -3e38f);
    for (int64_t k = 0; k < d; ++k) x.at(0, k) = 3e38f;
    // 2 (1/33 - 1/33 * 32/33) of the distance 6e38 sqrt(d).
    const double truth = 2 * 6e38 * std::sqrt(static_cast<double>(d)) / (33 * 33);
    const double exact = Exact(x, y);
    EXPECT_TRUE(!std::isfinite(exact) || std::abs(exact / truth - 1) < 1e-4) << d << " " << exact;
    const double sliced = Sliced(x, y, {.count = d, .seed = 1}).energy_distance;
    EXPECT_TRUE(!std::isfinite(sliced) || sliced > truth / 4) << d << " " << sliced;
  }
}

TEST_P(AgainstOracle, GradientIsTheDerivativeOfTheDistance) {
  // d(E/2)/dx by central differences of this backend's own values, along random directions u. The
  // step is 2^-6 of the spread; its error is h^2/6 times the third derivative, bounded here by the
  // difference between steps h and 2h.
  const Points x = Normals(12, 4, 1, 1, 0), y = Normals(15, 4, 2, 1.5f, 2.0f);
  for (const double r : {0.5, 1.0, 1.5, 1.9}) {
    const Gradient g = ExactGradient(x, y, r);
    const Points u = Normals(12, 4, 77);
    double slope = 0;
    for (size_t e = 0; e < u.values.size(); ++e) {
      slope += static_cast<double>(g.values[e]) * u.values[e];
    }
    const auto difference = [&](float h) {
      Points forward = x, backward = x;
      for (size_t e = 0; e < u.values.size(); ++e) {
        forward.values[e] += h * u.values[e];
        backward.values[e] -= h * u.values[e];
      }
      return (Exact(forward, y, r) - Exact(backward, y, r)) / (4 * static_cast<double>(h));
    };
    const double fine = difference(0x1p-6f), coarse = difference(0x1p-5f);
    const double rounding = ExactDistance(x, y, r, Estimator::kV).bound / 0x1p-6;
    EXPECT_NEAR(slope, fine, std::abs(fine - coarse) + rounding) << r;
  }
}

TEST_P(AgainstOracle, TwoParticlesRepelAndAreAttractedByTheClosedForm) {
  // Two particles, one target in the middle of them: closed form n g = +-(r a^(r-1) (1 - 2^(r-2))),
  // with a the distance to the target.
  const Points x(2, 1, {-1.0f, 1.0f}), y(1, 1, {0.0f});
  for (const double r : kAllExponents) {
    const Gradient g = ExactGradient(x, y, r);
    const double expected = r - 0.5 * r * std::pow(2, r - 1);
    EXPECT_NEAR(2 * g.values[1], expected, 1e-5) << r;
    EXPECT_NEAR(2 * g.values[0], -expected, 1e-5) << r;
  }
}

}  // namespace
}  // namespace riesz::contract
