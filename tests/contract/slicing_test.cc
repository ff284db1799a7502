// Slicing is an unbiased estimate whose reported error is its actual one. Seeds are fixed, so that
// the tests are deterministic; the false-alarm rates say how likely a correct backend would have
// been to fail them before the seeds were chosen.
#include <cmath>
#include <numbers>

#include "tests/contract/contract.h"
#include "tests/contract/oracle.h"

namespace riesz::contract {
namespace {

constexpr int kSeeds = 200;

class Slicing : public BackendContract {
 protected:
  explicit Slicing(int64_t dim = 8)
      : x_(Normals(20, dim, 1)), y_(Normals(30, dim, 2, 1.5f, 0.25f)) {}

  const Points x_, y_;

  // Over kSeeds seeds of `directions`.
  struct Spread {
    double mean = 0;
    double variance = 0;         // of the values
    double mean_square = 0;      // of their distance from `exact`
    double reported_square = 0;  // mean of SE^2
  };
  Spread OfValues(DirectionSpec directions, double exact, Estimator estimator = Estimator::kV) {
    Spread s;
    double square = 0;
    for (int seed = 0; seed < kSeeds; ++seed) {
      directions.seed = static_cast<uint64_t>(seed);
      const EnergyDistance e = Sliced(x_, y_, directions, estimator);
      s.mean += e.energy_distance / kSeeds;
      square += e.energy_distance * e.energy_distance / kSeeds;
      s.mean_square += std::pow(e.energy_distance - exact, 2) / kSeeds;
      if (e.slicing_standard_error) {
        s.reported_square += std::pow(*e.slicing_standard_error, 2) / kSeeds;
      }
    }
    s.variance = (square - s.mean * s.mean) * kSeeds / (kSeeds - 1);
    return s;
  }

  // Mean over seeds of the mean squared distance from the exact n g_i, and of SE^2.
  Spread OfGradients(DirectionSpec directions) {
    const BoundedVelocity exact = ExactVelocity(x_, y_, 1);
    const auto n = static_cast<double>(x_.n);
    Spread s;
    for (int seed = 0; seed < kSeeds; ++seed) {
      directions.seed = static_cast<uint64_t>(seed);
      const Gradient g = SlicedGradient(x_, y_, directions);
      for (size_t e = 0; e < g.values.size(); ++e) {
        s.mean_square += std::pow(n * g.values[e] - exact.velocity[e], 2) / n / kSeeds;
      }
      s.reported_square += std::pow(g.summary.slicing_standard_error.value(), 2) / kSeeds;
    }
    return s;
  }
};
RIESZ_ON_EVERY_BACKEND(Slicing);

// For structured directions, which need dimensions.
class WideSlicing : public Slicing {
 protected:
  WideSlicing() : Slicing(32) {}
};
RIESZ_ON_EVERY_BACKEND(WideSlicing);

TEST_P(Slicing, ValuesAreUnbiased) {
  for (const Estimator estimator : {Estimator::kV, Estimator::kU}) {
    const double exact = ExactDistance(x_, y_, 1, estimator).value;
    for (const DirectionKind kind : KindsFor(x_.d)) {
      const Spread s = OfValues({.kind = kind, .count = 20}, exact, estimator);
      // 4.5 standard errors of the mean: false alarm 7e-6 a comparison.
      EXPECT_NEAR(s.mean, exact, 4.5 * std::sqrt(s.variance / kSeeds));
    }
  }
}

TEST_P(Slicing, GradientsAreUnbiased) {
  const BoundedVelocity exact = ExactVelocity(x_, y_, 1);
  for (const DirectionKind kind : KindsFor(x_.d)) {
    std::vector<double> mean(exact.velocity.size()), square(mean.size());
    for (int seed = 0; seed < kSeeds; ++seed) {
      const Gradient g =
          SlicedGradient(x_, y_, {.kind = kind, .count = 16, .seed = static_cast<uint64_t>(seed)});
      for (size_t e = 0; e < mean.size(); ++e) {
        const double v = static_cast<double>(x_.n) * g.values[e];
        mean[e] += v / kSeeds;
        square[e] += v * v / kSeeds;
      }
    }
    for (size_t e = 0; e < mean.size(); ++e) {
      const double variance = (square[e] - mean[e] * mean[e]) / (kSeeds - 1);
      // 160 components at 5 standard errors: false alarm 1e-4.
      EXPECT_NEAR(mean[e], exact.velocity[e], 5 * std::sqrt(variance)) << e;
    }
  }
}

// The relative standard deviation of a mean of kSeeds squared normal errors is sqrt(2 / kSeeds) =
// 0.1, that of a ratio of two of them 0.14: factors of 1.8 either way are 4.2 of them, false alarm
// 3e-5.
TEST_P(Slicing, IidErrorFallsAsTheRootOfTheSlices) {
  const double exact = ExactDistance(x_, y_, 1, Estimator::kV).value;
  const double few = OfValues({.kind = DirectionKind::kIid, .count = 16}, exact).mean_square;
  const double many = OfValues({.kind = DirectionKind::kIid, .count = 256}, exact).mean_square;
  EXPECT_GT(few / many, 16 / 1.8);
  EXPECT_LT(few / many, 16 * 1.8);
}

TEST_P(Slicing, ReportedErrorOfValuesIsTheActualOne) {
  const double exact = ExactDistance(x_, y_, 1, Estimator::kV).value;
  const DirectionSpec specs[] = {
      {.kind = DirectionKind::kIid, .count = 64},
      {.kind = DirectionKind::kOrthogonal, .count = 64},      // 8 blocks
      {.kind = DirectionKind::kOrthogonal, .count = 60},      // 7 blocks and half a one
      {.kind = DirectionKind::kLowDiscrepancy, .count = 62},  // blocks of 16, 16, 15, 15
  };
  for (const DirectionSpec& spec : specs) {
    const Spread s = OfValues(spec, exact);
    EXPECT_GT(s.reported_square / s.mean_square, 1 / 1.8) << spec.count;
    EXPECT_LT(s.reported_square / s.mean_square, 1.8) << spec.count;
  }
}

TEST_P(Slicing, ReportedErrorOfGradientsIsTheActualOne) {
  const DirectionSpec specs[] = {
      {.kind = DirectionKind::kIid, .count = 64},
      {.kind = DirectionKind::kOrthogonal, .count = 64},
      {.kind = DirectionKind::kOrthogonal, .count = 60},
      {.kind = DirectionKind::kLowDiscrepancy, .count = 62},
  };
  for (const DirectionSpec& spec : specs) {
    if (!KnowsGradientError(spec.kind)) {
      EXPECT_FALSE(SlicedGradient(x_, y_, spec).summary.slicing_standard_error.has_value());
      continue;
    }
    const Spread s = OfGradients(spec);
    // Errors of 20 particles are averaged, so the factor is wider than their spread by far.
    EXPECT_GT(s.reported_square / s.mean_square, 1 / 1.5) << spec.count;
    EXPECT_LT(s.reported_square / s.mean_square, 1.5) << spec.count;
  }
}

TEST_P(Slicing, ReportedErrorIsTheSpreadOfBlocks) {
  // Against the formula, slice by slice: SE^2 = sum_k b_k (m_k - m)^2 / ((R - 1) P).
  const DirectionSpec spec{.count = 20, .seed = 3};  // blocks of 8, 8 and 4
  const std::vector<float> all = AllDirections(spec, 8, 0);
  std::vector<double> blocks;
  double mean = 0, spread = 0;
  for (const auto& [first, count] : {std::pair{0, 8}, {8, 8}, {16, 4}}) {
    double block = 0;
    for (int p = first; p < first + count; ++p) {
      Points px(x_.n, 1), py(y_.n, 1);
      for (Points* to : {&px, &py}) {
        const Points& from = to == &px ? x_ : y_;
        for (int64_t i = 0; i < from.n; ++i) {
          double position = 0;
          for (int64_t k = 0; k < 8; ++k) {
            position += static_cast<double>(from.at(i, k)) * all[static_cast<size_t>(p * 8 + k)];
          }
          to->at(i, 0) = static_cast<float>(position);
        }
      }
      block += ExactDistance(px, py, 1, Estimator::kV).value / count;
    }
    blocks.push_back(block);
    mean += block * count / 20;
  }
  const double sizes[] = {8, 8, 4};
  for (size_t k = 0; k < 3; ++k) spread += sizes[k] * std::pow(blocks[k] - mean, 2);
  const double c8 = 35 * std::numbers::pi / 32;  // c_{8,1}
  const EnergyDistance e = Sliced(x_, y_, spec);
  EXPECT_NEAR(e.energy_distance, c8 * mean, 1e-5);
  EXPECT_NEAR(e.slicing_standard_error.value(), c8 * std::sqrt(spread / (2 * 20)), 1e-5);
  EXPECT_EQ(e.blocks, 3);
}

TEST_P(Slicing, OrthogonalDirectionsBeatIidOnesFarFromTheTarget) {
  // A change of scale alone is a degree-0 and degree-2 affair, which a full block integrates.
  const double exact = ExactDistance(x_, y_, 1, Estimator::kV).value;
  const double iid = OfValues({.kind = DirectionKind::kIid, .count = 16}, exact).mean_square;
  const double orthogonal = OfValues({.count = 16}, exact).mean_square;
  EXPECT_LT(orthogonal, iid / 1.8);
}

TEST_P(Slicing, LowDiscrepancyDirectionsBeatOrthogonalOnes) {
  const double exact = ExactDistance(x_, y_, 1, Estimator::kV).value;
  const double orthogonal = OfValues({.count = 256}, exact).mean_square;
  const double even =
      OfValues({.kind = DirectionKind::kLowDiscrepancy, .count = 256}, exact).mean_square;
  EXPECT_LT(even, orthogonal / 1.8);
}

// Their bias, 2e-4 of the value at most, is a tenth of what 200 seeds can see. Factors as above.
TEST_P(WideSlicing, StructuredDirectionsErrAsOrthogonalOnesAndSayIt) {
  const double exact = ExactDistance(x_, y_, 1, Estimator::kV).value;
  const double orthogonal = OfValues({.count = 256}, exact).mean_square;
  const DirectionSpec spec{.kind = DirectionKind::kStructured, .count = 256};
  const Spread s = OfValues(spec, exact);
  EXPECT_NEAR(s.mean, exact, 4.5 * std::sqrt(s.variance / kSeeds));
  EXPECT_GT(s.mean_square / orthogonal, 1 / 1.8);
  EXPECT_LT(s.mean_square / orthogonal, 1.8);
  EXPECT_GT(s.reported_square / s.mean_square, 1 / 1.8);
  EXPECT_LT(s.reported_square / s.mean_square, 1.8);
  const Spread g = OfGradients(spec);
  EXPECT_GT(g.reported_square / g.mean_square, 1 / 1.5);
  EXPECT_LT(g.reported_square / g.mean_square, 1.5);
}

TEST_P(Slicing, SeedsChooseTheDirections) {
  const DirectionSpec spec{.count = 10, .seed = 4};
  DirectionSpec other = spec;
  other.seed = 5;
  EXPECT_EQ(Sliced(x_, y_, spec).energy_distance, Sliced(x_, y_, spec).energy_distance);
  EXPECT_NE(Sliced(x_, y_, spec).energy_distance, Sliced(x_, y_, other).energy_distance);
}

}  // namespace
}  // namespace riesz::contract
