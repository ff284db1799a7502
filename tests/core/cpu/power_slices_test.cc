// Slices at r != 1 against sums over all pairs in double, on every instruction set that this
// machine has.
#include "core/backend/cpu/power_slices.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "tests/core/cpu/targets.h"

namespace riesz::cpu {
namespace {

using Points = std::vector<float>;

Points Normals(int64_t count, uint32_t seed, float scale = 1, float offset = 0) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal;
  Points points(static_cast<size_t>(count));
  for (float& p : points) p = offset + scale * normal(engine);
  return points;
}

double MeanPower(const Points& a, const Points& b, double r) {
  double sum = 0;
  for (const float u : a) {
    for (const float v : b) sum += u == v ? 0 : std::pow(std::abs(static_cast<double>(u) - v), r);
  }
  return sum / static_cast<double>(a.size()) / static_cast<double>(b.size());
}

double MeanSlope(double t, const Points& others, double r) {
  double sum = 0;
  for (const float v : others) {
    const double gap = t - v;
    if (gap != 0) sum += std::copysign(std::pow(std::abs(gap), r - 1), gap);
  }
  return r * sum / static_cast<double>(others.size());
}

class PowerSlicesTest : public testing::TestWithParam<int64_t> {
 protected:
  // Values and slopes within `tolerance` of the exact ones: values relatively, slopes in the norm.
  void ExpectExact(const Points& x, const Points& y, double r, double tolerance = 1e-5) {
    SCOPED_TRACE(testing::Message() << "r " << r << ", n " << x.size() << ", m " << y.size());
    const OnlyTarget only(GetParam());
    const auto n = static_cast<int64_t>(x.size());
    const auto m = static_cast<int64_t>(y.size());
    const PowerSlices slices(r);
    PowerScratch scratch(n, m);
    const double xx = MeanPower(x, x, r), yy = MeanPower(y, y, r);
    const double e = 2 * MeanPower(x, y, r) - xx - yy;
    const SliceValue value = slices.Measure(x.data(), n, y.data(), m, scratch);
    EXPECT_NEAR(value.energy_distance, e, tolerance * e);
    // One ensemble may be a point beside the other: what is left of it is rounding of the range.
    EXPECT_NEAR(value.x_spread, xx / 2, tolerance * std::max(xx, yy));
    EXPECT_NEAR(value.y_spread, yy / 2, tolerance * std::max(xx, yy));

    Points h = x;
    SliceValue same;
    slices.Velocities(h.data(), n, y.data(), m, scratch, &same);
    EXPECT_EQ(same.energy_distance, value.energy_distance);
    double error = 0, square = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double exact = MeanSlope(x[i], y, r) - MeanSlope(x[i], x, r);
      error += std::pow(h[i] - exact, 2);
      square += exact * exact;
    }
    EXPECT_LE(std::sqrt(error), tolerance * std::sqrt(square));
  }
};
INSTANTIATE_TEST_SUITE_P(On, PowerSlicesTest, testing::ValuesIn(SupportedTargets()),
                         [](const testing::TestParamInfo<int64_t>& i) {
                           return TargetLabel(i.param);
                         });

const double kExponents[] = {0.05, 0.3, 0.5, 0.55, 0.75, 0.95, 0.999999, 1.000001, 1.2, 1.5, 1.9};

TEST_P(PowerSlicesTest, AgreesWithSumsOverAllPairs) {
  for (const double r : kExponents) {
    ExpectExact(Normals(1, 1), Normals(1, 2), r);
    ExpectExact(Normals(7, 1), Normals(1, 2), r);
    ExpectExact(Normals(300, 1), Normals(411, 2, 1.5f, 0.25f), r);
  }
}

TEST_P(PowerSlicesTest, AgreesWhereTheEnsemblesAreSamplesOfOneDistribution) {
  for (const double r : kExponents) ExpectExact(Normals(1000, 1), Normals(1000, 2), r);
}

TEST_P(PowerSlicesTest, TiedPointsDoNotActOnEachOther) {
  const auto integers = [](Points points, float most) {
    for (float& p : points) p = std::round(std::clamp(p, -most, most));
    return points;
  };
  for (const double r : kExponents) {
    ExpectExact(integers(Normals(200, 1, 3), 9), integers(Normals(150, 2, 4), 9), r);
    ExpectExact({-0.0f, 0.0f, 1}, {0.0f, -0.0f}, r);
  }
}

TEST_P(PowerSlicesTest, ClosePairsAndFarOnesKeepTheirDigits) {
  for (const double r : kExponents) {
    for (const float spread : {1e-4f, 1e-8f, 1e-20f}) {
      Points x = Normals(200, 1, spread), y = Normals(250, 2, spread);
      x[17] = 1;  // all others are one point beside this
      ExpectExact(x, y, r);
      for (size_t i = 0; i < x.size(); i += 2) x[i] += 2;
      for (size_t i = 0; i < y.size(); i += 2) y[i] += 2;
      ExpectExact(x, y, r);
    }
  }
}

TEST_P(PowerSlicesTest, KeepsItsDigitsAtEveryScale) {
  for (const double r : kExponents) {
    for (const float scale : {1e-30f, 1e-15f, 1e15f, 1e30f}) {
      ExpectExact(Normals(100, 1, scale), Normals(100, 2, 1.5f * scale), r);
    }
  }
}

TEST_P(PowerSlicesTest, EqualEnsemblesLeaveExactlyNothing) {
  const OnlyTarget only(GetParam());
  const Points x = Normals(100, 1);
  Points twice = x;
  twice.insert(twice.end(), x.begin(), x.end());
  for (const double r : kExponents) {
    for (const Points& y : {x, twice}) {
      const auto m = static_cast<int64_t>(y.size());
      PowerScratch scratch(100, m);
      Points h = x;
      SliceValue value;
      PowerSlices(r).Velocities(h.data(), 100, y.data(), m, scratch, &value);
      EXPECT_EQ(h, Points(100, 0.0f)) << r;
      EXPECT_EQ(value.energy_distance, 0) << r;
    }
  }
}

TEST_P(PowerSlicesTest, WhatIsNotFiniteIsNotHidden) {
  const OnlyTarget only(GetParam());
  const Points y = Normals(20, 2);
  for (const float bad : {std::numeric_limits<float>::infinity(), 3e38f}) {
    Points h = Normals(10, 1);
    h[3] = bad;
    h[4] = -bad;  // the range of 3e38 and -3e38 is a double
    PowerScratch scratch(10, 20);
    SliceValue value;
    PowerSlices(1.5).Velocities(h.data(), 10, y.data(), 20, scratch, &value);
    EXPECT_EQ(std::isfinite(value.energy_distance), std::isfinite(bad));
    EXPECT_EQ(std::isfinite(h[0]), std::isfinite(bad));
  }
}

TEST(PowerSlices, Avx2AndAvx512AgreeToTheBit) {
  if ((hwy::SupportedTargets() & HWY_AVX3) == 0) GTEST_SKIP() << "no AVX-512 here";
  const Points x = Normals(500, 1), y = Normals(333, 2);
  for (const double r : {0.6, 1.5}) {
    std::vector<Points> slopes;
    std::vector<double> values;
    for (const int64_t target : {HWY_AVX2, HWY_AVX3}) {
      const OnlyTarget only(target);
      PowerScratch scratch(500, 333);
      Points h = x;
      SliceValue value;
      PowerSlices(r).Velocities(h.data(), 500, y.data(), 333, scratch, &value);
      slopes.push_back(h);
      values.push_back(value.energy_distance);
    }
    EXPECT_EQ(slopes[0], slopes[1]);
    EXPECT_EQ(values[0], values[1]);
  }
}

}  // namespace
}  // namespace riesz::cpu
