// The one-dimensional problem on the device, against counting, for every size of block.
#include "core/backend/cuda/kernels/slices.h"

#include <algorithm>
#include <cmath>

#include "core/backend/cuda/kernels/block_sort.cuh"
#include "core/random.h"
#include "tests/core/cuda/emulated_device.h"

namespace riesz::cuda {
namespace {

// Uniform numbers, rounded to multiples of 1/levels (0: not): ties where levels are few.
std::vector<float> Uniforms(int64_t size, uint64_t seed, float levels) {
  std::vector<float> values(static_cast<size_t>(size));
  FillUniforms(seed, RandomStream::kGenerator, 0, 0, values.data(), size);
  for (float& v : values) {
    if (levels > 0) v = std::floor(v * levels) / levels;
    v -= 0.5f;
  }
  return values;
}

int64_t TwiceMidRank(const std::vector<float>& sorted, float t) {
  const auto [first, last] = std::equal_range(sorted.begin(), sorted.end(), t);
  return (first - sorted.begin()) + (last - sorted.begin());
}

struct Expected {
  std::vector<float> h;
  double energy = 0;  // 2 int (F - G)^2
};
Expected Count(std::vector<float> x, std::vector<float> y) {
  Expected expected;
  std::vector<float> sorted = x;
  std::sort(sorted.begin(), sorted.end());
  std::sort(y.begin(), y.end());
  const auto n = static_cast<double>(x.size()), m = static_cast<double>(y.size());
  for (const float t : x) {
    expected.h.push_back(
        static_cast<float>((static_cast<double>(TwiceMidRank(y, t)) - m) / m -
                           (static_cast<double>(TwiceMidRank(sorted, t)) - n) / n));
  }
  std::vector<float> all = sorted;
  all.insert(all.end(), y.begin(), y.end());
  std::sort(all.begin(), all.end());
  size_t i = 0, j = 0;
  for (size_t k = 0; k + 1 < all.size(); ++k) {
    while (i < sorted.size() && sorted[i] <= all[k]) ++i;
    while (j < y.size() && y[j] <= all[k]) ++j;
    const double f = static_cast<double>(i) / n - static_cast<double>(j) / m;
    expected.energy += 2 * f * f * (static_cast<double>(all[k + 1]) - all[k]);
  }
  return expected;
}

class Slices : public EmulatedDevice {
 protected:
  Slices() : EmulatedDevice({.order = GetParam()}) {}

  void ExpectSlice(int64_t n, int64_t m, float levels) {
    SCOPED_TRACE(testing::Message() << "n " << n << ", m " << m << ", levels " << levels);
    const SliceShape shape{n, m};
    ASSERT_EQ(ChooseSort(device_.facts(), shape), SortStrategy::kBlock);
    const std::vector<float> x = Uniforms(n, 1, levels), y = Uniforms(m, 2, levels);
    std::vector<float> row = x;
    row.insert(row.end(), y.begin(), y.end());
    auto projections = OnDevice(row);
    auto sums = Garbage<SliceSums>(1);
    ASSERT_TRUE(SortColumns(device_, projections.data(), 1, n + m, n, m).ok());
    ASSERT_TRUE(SortAndRank(device_, projections.data(), 1, shape, true, sums.data()).ok());
    const Expected expected = Count(x, y);
    std::vector<float> h = OnHost(projections);
    h.resize(static_cast<size_t>(n));
    EXPECT_EQ(h, expected.h);
    const auto nm = static_cast<double>(n) * static_cast<double>(m);
    // Sums of n + m positive terms in double.
    EXPECT_NEAR(2 * OnHost(sums)[0].energy / nm / nm, expected.energy,
                static_cast<double>(n + m) * 0x1p-52 * expected.energy);
  }
};
INSTANTIATE_TEST_SUITE_P(In, Slices,
                         testing::Values(emulated::ThreadOrder::kAscending,
                                         emulated::ThreadOrder::kDescending),
                         [](const auto& i) {
                           return i.param == emulated::ThreadOrder::kAscending ? "ascending"
                                                                               : "descending";
                         });

TEST_P(Slices, AreRankedByCountingForEverySizeOfBlock) {
  for (const auto& [n, m] : {std::pair<int64_t, int64_t>{1, 1},
                             {1, 128},
                             {128, 1},
                             {129, 130},
                             {512, 513},
                             {2048, 2049},
                             {8192, 8193},
                             {20480, 16385}}) {
    ExpectSlice(n, m, 0);
  }
}

TEST_P(Slices, CountTiesByTheMidRankRule) {
  for (const float levels : {1.0f, 2.0f, 16.0f}) {
    ExpectSlice(100, 77, levels);
    ExpectSlice(700, 900, levels);
  }
}

TEST_P(Slices, TooLargeForABlockGoToTheDevicesSort) {
  EXPECT_EQ(ChooseSort(device_.facts(), {20481, 1}), SortStrategy::kDevice);
  EXPECT_EQ(ChooseSort(device_.facts(), {1, 20481}), SortStrategy::kDevice);
  DeviceFacts small = device_.facts();
  small.shared_bytes_per_block = 100 << 10;  // compute capability 8.6
  EXPECT_EQ(ChooseSort(small, {8192, 8192}), SortStrategy::kBlock);
  EXPECT_EQ(ChooseSort(small, {20480, 8192}), SortStrategy::kDevice);
}

TEST(SliceKeys, KeepTheOrderOfFloats) {
  const float values[] = {-INFINITY, -3e38f, -1.5f, -1e-45f, 0.0f, 1e-45f, 2.0f, 3e38f, INFINITY};
  for (size_t i = 1; i < std::size(values); ++i) {
    EXPECT_LT(KeyOf(values[i - 1]), KeyOf(values[i]));
    EXPECT_EQ(ValueOf(KeyOf(values[i])), values[i]);
  }
  EXPECT_EQ(KeyOf(-0.0f), KeyOf(0.0f));
}

}  // namespace
}  // namespace riesz::cuda
