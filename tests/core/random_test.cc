#include "core/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <numeric>
#include <set>

#include "hwy/targets.h"

namespace riesz {
namespace {

TEST(Philox, GivesTheKnownAnswersOfRandom123) {
  using Block = std::array<uint32_t, 4>;
  EXPECT_EQ(Philox({0, 0, 0, 0}, {0, 0}), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(Philox({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

constexpr uint64_t kSeed = 0x0123456789abcdef;
constexpr uint64_t kStep = (uint64_t{1} << 40) + 3;
constexpr uint64_t kRow = 12345;

std::vector<float> NormalsOf(int64_t n, uint64_t row = kRow) {
  std::vector<float> out(static_cast<size_t>(n));
  FillNormals(kSeed, RandomStream::kGenerator, kStep, row, out.data(), n);
  return out;
}

std::vector<float> UniformsOf(int64_t n) {
  std::vector<float> out(static_cast<size_t>(n));
  FillUniforms(kSeed, RandomStream::kGenerator, kStep, kRow, out.data(), n);
  return out;
}

// The formula of random.h in double, but for u's rounding to float.
double NormalAt(int64_t k) {
  const auto bits =
      RandomBits(kSeed, RandomStream::kGenerator, kStep, kRow, static_cast<uint64_t>(k / 4));
  const auto pair = static_cast<size_t>(k % 4 / 2 * 2);
  const float scaled =
      std::min(static_cast<float>(bits[pair] >> 1) + 0.5f, std::nextafter(0x1p31f, 0.0f));
  const double u = static_cast<double>(scaled) * 0x1p-31;
  const double angle = 2 * std::numbers::pi * (bits[pair + 1] * 0x1p-32 - 0.125);
  return std::sqrt(-2 * std::log(u)) * (k % 2 == 0 ? std::cos(angle) : std::sin(angle));
}

TEST(Normals, AreBoxMullerOfTheBits) {
  const std::vector<float> z = NormalsOf(100'000);
  for (int64_t k = 0; k < 100'000; ++k) {
    ASSERT_NEAR(z[static_cast<size_t>(k)], NormalAt(k), 1e-6) << k;
  }
}

TEST(Normals, HaveTheMomentsOfANormal) {
  const int64_t n = 4'000'000;
  double moments[5] = {};
  double beyond_four = 0;
  for (const float z : NormalsOf(n)) {
    double power = 1;
    for (double& moment : moments) {
      moment += power / static_cast<double>(n);
      power *= z;
    }
    beyond_four += std::abs(z) > 4 ? 1 : 0;
  }
  // 4.5 standard deviations of each mean; Var z^k = 1, 2, 15, 96. False alarm 7e-6 each.
  const double sigma = 4.5 / std::sqrt(static_cast<double>(n));
  EXPECT_NEAR(moments[1], 0, sigma);
  EXPECT_NEAR(moments[2], 1, sigma * std::sqrt(2));
  EXPECT_NEAR(moments[3], 0, sigma * std::sqrt(15));
  EXPECT_NEAR(moments[4], 3, sigma * std::sqrt(96));
  // P(|z| > 4) = 6.334e-5: 253 expected, Poisson.
  EXPECT_NEAR(beyond_four, 253.4, 4.5 * std::sqrt(253.4));
}

TEST(Normals, NeighboursAreUncorrelated) {
  const int64_t n = 1'000'000;
  const std::vector<float> z = NormalsOf(n), other_row = NormalsOf(n, kRow + 1);
  for (const size_t lag : {1, 2, 4, 16, 64}) {
    double sum = 0;
    for (size_t i = 0; i + lag < z.size(); ++i) sum += static_cast<double>(z[i]) * z[i + lag];
    EXPECT_NEAR(sum / static_cast<double>(n), 0, 4.5e-3) << lag;  // 4.5 standard deviations
  }
  EXPECT_NEAR(
      std::inner_product(z.begin(), z.end(), other_row.begin(), 0.0) / static_cast<double>(n), 0,
      4.5e-3);
}

TEST(Normals, AreTheSameBitsWithEveryInstructionSet) {
  const std::vector<float> normals = NormalsOf(10'001), uniforms = UniformsOf(10'001);
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    EXPECT_EQ(NormalsOf(10'001), normals) << hwy::TargetName(target);
    EXPECT_EQ(UniformsOf(10'001), uniforms) << hwy::TargetName(target);
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

TEST(Normals, ACoordinateDoesNotDependOnHowManyAreAsked) {
  const std::vector<float> all = NormalsOf(300);
  for (int64_t n = 0; n < 300; ++n) {
    const std::vector<float> some = NormalsOf(n);
    EXPECT_TRUE(std::equal(some.begin(), some.end(), all.begin())) << n;
  }
}

TEST(Normals, EveryPartOfTheKeyMatters) {
  const auto fill = [](uint64_t seed, RandomStream stream, uint64_t step, uint64_t row) {
    std::vector<float> z(8);
    FillNormals(seed, stream, step, row, z.data(), 8);
    return z;
  };
  const std::set<std::vector<float>> distinct = {
      fill(1, RandomStream::kGenerator, 2, 3),
      fill(2, RandomStream::kGenerator, 2, 3),
      fill(1 + (uint64_t{1} << 32), RandomStream::kGenerator, 2, 3),
      fill(1, RandomStream::kDirections, 2, 3),
      fill(1, RandomStream::kGenerator, 3, 3),
      fill(1, RandomStream::kGenerator, 2 + (uint64_t{1} << 32), 3),
      fill(1, RandomStream::kGenerator, 2, 4),
  };
  EXPECT_EQ(distinct.size(), 7u);
}

TEST(Uniforms, AreTheTopBitsOfEachWord) {
  const std::vector<float> u = UniformsOf(1001);
  for (int64_t k = 0; k < 1001; ++k) {
    const auto bits =
        RandomBits(kSeed, RandomStream::kGenerator, kStep, kRow, static_cast<uint64_t>(k / 4));
    EXPECT_EQ(u[static_cast<size_t>(k)], UniformFromBits(bits[static_cast<size_t>(k % 4)]));
    EXPECT_GE(u[static_cast<size_t>(k)], 0);
    EXPECT_LT(u[static_cast<size_t>(k)], 1);
  }
}

TEST(ChooseRows, AllRowsAreAPermutation) {
  std::vector<int64_t> rows = ChooseRows(5, 1000, 1000);
  EXPECT_FALSE(std::is_sorted(rows.begin(), rows.end()));
  std::sort(rows.begin(), rows.end());
  std::vector<int64_t> identity(1000);
  std::iota(identity.begin(), identity.end(), 0);
  EXPECT_EQ(rows, identity);
}

TEST(ChooseRows, FewerRowsAreTheFirstOfMore) {
  const std::vector<int64_t> all = ChooseRows(5, 1000, 1000), some = ChooseRows(5, 1000, 37);
  EXPECT_TRUE(std::equal(some.begin(), some.end(), all.begin()));
  EXPECT_TRUE(ChooseRows(5, 1000, 0).empty());
  EXPECT_NE(ChooseRows(6, 1000, 37), some);
}

TEST(ChooseRows, EveryPermutationIsEquallyLikely) {
  // 24 permutations of four rows, 24,000 draws: chi^2 with 23 degrees of freedom exceeds 64 with
  // probability 1e-5.
  std::map<std::vector<int64_t>, int> counts;
  for (uint64_t seed = 0; seed < 24'000; ++seed) ++counts[ChooseRows(seed, 4, 4)];
  ASSERT_EQ(counts.size(), 24u);
  double chi_squared = 0;
  for (const auto& [rows, count] : counts) chi_squared += std::pow(count - 1000.0, 2) / 1000;
  EXPECT_LT(chi_squared, 64);
}

}  // namespace
}  // namespace riesz
