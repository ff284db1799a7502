// The one-dimensional stage against its definition, on every instruction set that this machine has.
#include "core/backend/cpu/ranks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "core/backend/cpu/sort.h"
#include "tests/core/cpu/targets.h"

namespace riesz::cpu {
namespace {

using Points = std::vector<float>;

// h as the header defines it, with the same two float divisions.
Points VelocitiesByCounting(const Points& x, const Points& y) {
  const auto n = static_cast<int64_t>(x.size());
  const auto m = static_cast<int64_t>(y.size());
  const auto twice_below = [](const Points& points, float v) {
    int64_t count = 0;
    for (float p : points) count += p < v ? 2 : p == v ? 1 : 0;
    return count;
  };
  Points h;
  for (float v : x) {
    h.push_back(static_cast<float>(twice_below(y, v) - m) / static_cast<float>(m) -
                static_cast<float>(twice_below(x, v) - n) / static_cast<float>(n));
  }
  return h;
}

double MeanAbsDifference(const Points& a, const Points& b) {
  double sum = 0;
  for (float u : a) {
    for (float v : b) sum += std::abs(static_cast<double>(u) - v);
  }
  return sum / static_cast<double>(a.size()) / static_cast<double>(b.size());
}

class RanksTest : public testing::TestWithParam<int64_t> {
 protected:
  void ExpectMatchesDefinition(const Points& x, const Points& y) {
    const OnlyTarget only(GetParam());
    const auto n = static_cast<int64_t>(x.size());
    const auto m = static_cast<int64_t>(y.size());
    SliceScratch scratch(n, m, true);
    Points h = x;
    SliceValue value;
    SliceVelocities(h.data(), n, y.data(), m, scratch, &value);
    EXPECT_EQ(h, VelocitiesByCounting(x, y));  // integers and two divisions: to the bit

    float largest = 0;
    for (const Points* points : {&x, &y}) {
      for (float v : *points) largest = std::max(largest, std::abs(v));
    }
    // Double sums of n + m terms below 2 * largest each, divided by n and m.
    const double tolerance = static_cast<double>(n + m) * 1e-15 * (2.0 * largest);
    const double between = MeanAbsDifference(x, y);
    const double within_x = MeanAbsDifference(x, x);
    const double within_y = MeanAbsDifference(y, y);
    EXPECT_NEAR(value.energy_distance, 2 * between - within_x - within_y, tolerance);
    EXPECT_NEAR(value.x_spread, within_x / 2, tolerance);
    EXPECT_NEAR(value.y_spread, within_y / 2, tolerance);

    const SliceValue alone = MeasureSlice(x.data(), n, y.data(), m, scratch);
    EXPECT_EQ(alone.energy_distance, value.energy_distance);
  }

  Points Normals(int64_t count, float shift = 0) {
    std::normal_distribution<float> normal(shift, 1);
    Points points;
    for (int64_t i = 0; i < count; ++i) points.push_back(normal(random_));
    return points;
  }
  static Points Rounded(Points points) {
    for (float& v : points) v = std::round(2 * v) / 2;
    return points;
  }

  std::mt19937 random_{20261123};
};

TEST_P(RanksTest, OnePointEach) {
  ExpectMatchesDefinition({1.5f}, {-2.0f});
  ExpectMatchesDefinition({1.5f}, {1.5f});
}

TEST_P(RanksTest, OneAgainstMany) {
  ExpectMatchesDefinition({0.1f}, Normals(100));
  ExpectMatchesDefinition(Normals(100), {0.1f});
}

TEST_P(RanksTest, EverySizeAroundAVector) {
  for (int64_t n = 1; n <= 40; ++n) ExpectMatchesDefinition(Normals(n), Normals(41 - n, 0.3f));
}

TEST_P(RanksTest, ManyDistinctPoints) { ExpectMatchesDefinition(Normals(1000), Normals(1500)); }

// Beyond 2^14 values, and where values crowd into few cells of a grid, the sort takes another way.
TEST_P(RanksTest, IndicesFollowTheirKeys) {
  const OnlyTarget only(GetParam());
  std::vector<Points> cases;
  for (const int64_t n : {63, 64, 65, 1000, 10000, 16384, 16385, 20000})
    cases.push_back(Normals(n));
  cases.push_back(Normals(5000));
  cases.back()[7] = 1e6f;  // the others share few cells
  cases.push_back(Normals(5000));
  for (float& v : cases.back()) v = std::exp(4 * v);
  cases.push_back(Rounded(Normals(3000)));
  cases.push_back(Points(300, 4.0f));
  for (const Points& values : cases) {
    const size_t n = values.size();
    std::vector<uint64_t> work(n);
    std::vector<uint32_t> keys(n), indices(n);
    SortKeysWithIndex(values.data(), static_cast<int64_t>(n), work.data(), keys.data(),
                      indices.data());
    std::vector<bool> seen(n);
    for (size_t k = 0; k < n; ++k) {
      ASSERT_TRUE(k == 0 || keys[k - 1] <= keys[k]);
      ASSERT_EQ(ValueOfKey(keys[k]), values[indices[k]]);
      ASSERT_FALSE(seen[indices[k]]);
      seen[indices[k]] = true;
    }
  }
}

TEST_P(RanksTest, TiesWithinAndBetween) {
  ExpectMatchesDefinition(Rounded(Normals(333)), Rounded(Normals(500, 0.2f)));
  ExpectMatchesDefinition(Rounded(Normals(500)), Normals(100));
}

TEST_P(RanksTest, FewTiesAmongManyDistinctPoints) {
  Points x = Normals(700);
  Points y = Normals(600);
  for (int i = 0; i < 20; ++i) y[static_cast<size_t>(17 * i)] = x[static_cast<size_t>(31 * i)];
  x[5] = x[400];
  ExpectMatchesDefinition(x, y);
}

TEST_P(RanksTest, AllEqual) {
  ExpectMatchesDefinition(Points(100, 2.0f), Points(77, 2.0f));
  ExpectMatchesDefinition(Points(100, 2.0f), Points(77, 3.0f));
}

TEST_P(RanksTest, SignedZerosTie) {
  Points x = Normals(50);
  Points y = Normals(50);
  for (size_t i = 0; i < 50; i += 3) x[i] = i % 2 == 0 ? 0.0f : -0.0f;
  for (size_t i = 0; i < 50; i += 4) y[i] = i % 8 == 0 ? 0.0f : -0.0f;
  ExpectMatchesDefinition(x, y);
}

TEST_P(RanksTest, DenormalsAndExtremesKeepTheirOrder) {
  const float tiny = std::numeric_limits<float>::denorm_min();
  const Points x = {-tiny, 0.0f, tiny, 3 * tiny, -1e30f, 1e30f};
  const Points y = {-2 * tiny, 2 * tiny, -0.0f, 1e30f, -1e30f, tiny};
  ExpectMatchesDefinition(x, y);
}

TEST_P(RanksTest, SortedAndReversed) {
  Points x = Normals(300);
  Points y = Normals(300);
  std::sort(x.begin(), x.end());
  std::sort(y.rbegin(), y.rend());
  ExpectMatchesDefinition(x, y);
  ExpectMatchesDefinition(y, x);
}

TEST_P(RanksTest, VelocityIsZeroWhenBothAreTheSame) {
  const OnlyTarget only(GetParam());
  const Points x = Normals(1234);
  SliceScratch scratch(1234, 1234, true);
  Points h = x;
  SliceValue value;
  SliceVelocities(h.data(), 1234, x.data(), 1234, scratch, &value);
  EXPECT_EQ(h, Points(1234, 0.0f));
  EXPECT_EQ(value.energy_distance, 0);
}

TEST_P(RanksTest, KeysSortAsFloatsDo) {
  const OnlyTarget only(GetParam());
  Points values = Normals(5000);
  std::vector<uint32_t> keys(values.size());
  SortKeys(values.data(), 5000, keys.data());
  std::sort(values.begin(), values.end());
  for (size_t i = 0; i < values.size(); ++i) ASSERT_EQ(ValueOfKey(keys[i]), values[i]);
}

INSTANTIATE_TEST_SUITE_P(Targets, RanksTest, testing::ValuesIn(SupportedTargets()),
                         [](const auto& info) { return TargetLabel(info.param); });

}  // namespace
}  // namespace riesz::cpu
