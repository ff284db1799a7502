// Slices at r != 1: definitions over all pairs of projections in double, and laws.
#include <cmath>

#include "core/kernel.h"
#include "tests/contract/contract.h"
#include "tests/contract/oracle.h"

namespace riesz::contract {
namespace {

class Exponents : public BackendContract {
 protected:
  const Points x_ = Normals(40, 5, 1), y_ = Normals(55, 5, 2, 1.5f, 0.25f);

  // A sum over all pairs of projections in double, of `points` on `direction`.
  static Points Project(const Points& points, const float* direction) {
    Points line(points.n, 1);
    for (int64_t i = 0; i < points.n; ++i) {
      double position = 0;
      for (int64_t k = 0; k < points.d; ++k) {
        position += static_cast<double>(points.at(i, k)) * direction[k];
      }
      line.at(i, 0) = static_cast<float>(position);
    }
    return line;
  }

  // The definition: c E_xi of one-dimensional values; bounds as oracle.h grants one dimension, and
  // a backend's 1e-4 of what is summed.
  static Bounded Value(const Points& x, const Points& y, const DirectionSpec& spec, double r,
                       Estimator estimator) {
    const std::vector<float> all = AllDirections(spec, x.d, 0);
    const int64_t slices = SliceCount(spec, x.d);
    const double scale = SlicingConstant(x.d, r) / static_cast<double>(slices);
    Bounded sum;
    for (int64_t p = 0; p < slices; ++p) {
      const Bounded slice = ExactDistance(Project(x, all.data() + p * x.d),
                                          Project(y, all.data() + p * x.d), r, estimator);
      sum.value += scale * slice.value;
      sum.bound += scale * (slice.bound + 1e-4 * std::abs(slice.value));
    }
    return sum;
  }
  static BoundedVelocity Velocity(const Points& x, const Points& y, const DirectionSpec& spec,
                                  double r) {
    const std::vector<float> all = AllDirections(spec, x.d, 0);
    const int64_t slices = SliceCount(spec, x.d);
    const double scale = SlicingConstant(x.d, r) / static_cast<double>(slices);
    BoundedVelocity sum{std::vector<double>(x.values.size()),
                        std::vector<double>(static_cast<size_t>(x.n))};
    for (int64_t p = 0; p < slices; ++p) {
      const float* direction = all.data() + p * x.d;
      const BoundedVelocity slice = ExactVelocity(Project(x, direction), Project(y, direction), r);
      double square = 0;
      for (const double h : slice.velocity) square += h * h / static_cast<double>(x.n);
      for (int64_t i = 0; i < x.n; ++i) {
        const auto is = static_cast<size_t>(i);
        for (int64_t k = 0; k < x.d; ++k) {
          sum.velocity[static_cast<size_t>(i * x.d + k)] +=
              scale * slice.velocity[is] * direction[k];
        }
        sum.bound[is] += scale * (slice.bound[is] + (r < 1 ? 1e-3 : 1e-4) * std::sqrt(square));
      }
    }
    return sum;
  }
};
RIESZ_ON_EVERY_BACKEND(Exponents);

constexpr double kValueExponents[] = {0.1, 0.5, 0.75, 1.2, 1.5, 1.9};
constexpr double kGradientExponents[] = {0.6, 0.75, 1.2, 1.5, 1.9};

TEST_P(Exponents, ValuesAreMeansOfOneDimensionalOnes) {
  for (const DirectionKind kind : {DirectionKind::kIid, DirectionKind::kOrthogonal}) {
    const DirectionSpec spec{.kind = kind, .count = 12, .seed = 3};
    for (const double r : kValueExponents) {
      for (const Estimator estimator : {Estimator::kV, Estimator::kU}) {
        const Bounded expected = Value(x_, y_, spec, r, estimator);
        EXPECT_NEAR(Sliced(x_, y_, spec, estimator, r).energy_distance, expected.value,
                    expected.bound)
            << r;
      }
    }
  }
}

TEST_P(Exponents, GradientsAreMeansOfOneDimensionalOnes) {
  const DirectionSpec spec{.count = 12, .seed = 3};
  for (const double r : kGradientExponents) {
    SCOPED_TRACE(r);
    const BoundedVelocity expected = Velocity(x_, y_, spec, r);
    const Gradient gradient = SlicedGradient(x_, y_, spec, r);
    double square = 0, bound = 0;
    for (int64_t i = 0; i < x_.n; ++i) {
      double error = 0;
      for (int64_t k = 0; k < x_.d; ++k) {
        const auto e = static_cast<size_t>(i * x_.d + k);
        error += std::pow(static_cast<double>(x_.n) * gradient.values[e] - expected.velocity[e], 2);
        square += expected.velocity[e] * expected.velocity[e];
      }
      EXPECT_LE(std::sqrt(error), expected.bound[static_cast<size_t>(i)]) << i;
      bound += std::pow(expected.bound[static_cast<size_t>(i)], 2);
    }
    const auto n = static_cast<double>(x_.n);
    EXPECT_NEAR(gradient.summary.rms_velocity, std::sqrt(square / n), std::sqrt(bound / n));
  }
}

TEST_P(Exponents, OneDimensionSlicedIsExact) {
  const Points x = Integers(60, 1, 1, 7), y = Integers(41, 1, 2, 9);  // many ties
  for (const double r : kValueExponents) {
    const Bounded exact = ExactDistance(x, y, r, Estimator::kU);
    EXPECT_NEAR(Sliced(x, y, {.count = 5}, Estimator::kU, r).energy_distance, exact.value,
                exact.bound + 1e-4 * std::abs(exact.value));
  }
  for (const double r : kGradientExponents) {
    const Gradient sliced = SlicedGradient(x, y, {.count = 5}, r);
    const Gradient exact = ExactGradient(x, y, r);
    for (size_t i = 0; i < 60; ++i) {
      EXPECT_NEAR(60 * sliced.values[i], 60 * exact.values[i], 1e-4 * exact.summary.rms_velocity);
    }
  }
}

TEST_P(Exponents, EqualEnsemblesAreAtDistanceZeroWithoutForces) {
  for (const double r : kValueExponents) {
    const EnergyDistance e = Sliced(x_, x_, {.count = 10}, Estimator::kV, r);
    EXPECT_NEAR(e.energy_distance, 0, 1e-12) << r;
    EXPECT_NEAR(e.slicing_standard_error.value(), 0, 1e-12) << r;
  }
  for (const double r : kGradientExponents) {
    for (const float g : SlicedGradient(x_, x_, {.count = 10}, r).values) EXPECT_EQ(g, 0) << r;
  }
}

TEST_P(Exponents, DistanceScalesWithThePowerOfTheExponent) {
  Points x = x_, y = y_;
  for (Points* p : {&x, &y}) {
    for (float& v : p->values) v *= 1024;  // changes no rounding
  }
  const DirectionSpec spec{.count = 12, .seed = 5};
  for (const double r : kValueExponents) {
    const double expected =
        std::pow(1024, r) * Sliced(x_, y_, spec, Estimator::kV, r).energy_distance;
    // Sums in another unit: rounding of double over terms of like size.
    EXPECT_NEAR(Sliced(x, y, spec, Estimator::kV, r).energy_distance, expected, 1e-11 * expected);
  }
}

TEST_P(Exponents, DistanceDoesNotNoticeATranslation) {
  // Multiples of 1/16 below 32, moved by 512: exact in float32.
  Points x = Integers(40, 6, 1, 512), y = Integers(50, 6, 2, 400);
  for (Points* p : {&x, &y}) {
    for (float& v : p->values) v /= 16;
  }
  Points x_moved = x, y_moved = y;
  for (Points* p : {&x_moved, &y_moved}) {
    for (float& v : p->values) v += 512;
  }
  const DirectionSpec spec{.count = 12, .seed = 5};
  for (const double r : kValueExponents) {
    EXPECT_NEAR(Sliced(x, y, spec, Estimator::kV, r).energy_distance,
                Sliced(x_moved, y_moved, spec, Estimator::kV, r).energy_distance,
                2 * Value(x, y, spec, r, Estimator::kV).bound);
  }
}

TEST_P(Exponents, ValuesAndGradientsAreUnbiased) {
  constexpr int kSeeds = 200;
  for (const double r : {0.8, 1.5}) {
    const double exact = ExactDistance(x_, y_, r, Estimator::kV).value;
    const BoundedVelocity velocity = ExactVelocity(x_, y_, r);
    double mean = 0, square = 0;
    std::vector<double> means(velocity.velocity.size()), squares(means.size());
    for (uint64_t seed = 0; seed < kSeeds; ++seed) {
      const DirectionSpec spec{.kind = DirectionKind::kIid, .count = 16, .seed = seed};
      const double e = Sliced(x_, y_, spec, Estimator::kV, r).energy_distance;
      mean += e / kSeeds;
      square += e * e / kSeeds;
      const Gradient g = SlicedGradient(x_, y_, spec, r);
      for (size_t i = 0; i < means.size(); ++i) {
        const double v = static_cast<double>(x_.n) * g.values[i];
        means[i] += v / kSeeds;
        squares[i] += v * v / kSeeds;
      }
    }
    // 4.5 standard errors of the mean: false alarm 7e-6.
    EXPECT_NEAR(mean, exact, 4.5 * std::sqrt((square - mean * mean) / (kSeeds - 1))) << r;
    for (size_t i = 0; i < means.size(); ++i) {
      // 400 components at 5 standard errors: false alarm 3e-4.
      const double error = std::sqrt((squares[i] - means[i] * means[i]) / (kSeeds - 1));
      EXPECT_NEAR(means[i], velocity.velocity[i], 5 * error) << r << " " << i;
    }
  }
}

TEST_P(Exponents, FlowsStepAlongTheSlicedGradient) {
  for (const double r : {0.75, 1.5}) {
    FlowSpec spec;
    spec.exponent = r;
    spec.step_size = 0.5;
    spec.directions = {.count = 10, .seed = 3};
    auto flow = Flow(x_, y_, spec);
    Advance(*flow, 1, true, 2);
    const std::vector<float> moved = Download(*flow->Snapshot().value());
    const Gradient g = SlicedGradient(x_, y_, spec.directions, r);
    for (size_t e = 0; e < moved.size(); ++e) {
      // Two roundings of a coordinate of size 6 and a relative one of the velocity.
      const double step = 0.5 * static_cast<double>(x_.n) * g.values[e];
      EXPECT_NEAR(moved[e], x_.values[e] - step, 1e-6 * (1 + std::abs(step)));
    }
    EXPECT_NEAR(flow->measurement()->energy_distance,
                Sliced(x_, y_, spec.directions, Estimator::kV, r).energy_distance, 1e-9);
    const double first = flow->measurement()->energy_distance;
    Advance(*flow, 30, true);
    EXPECT_LT(flow->measurement()->energy_distance, first / 2) << r;
  }
}

}  // namespace
}  // namespace riesz::contract
