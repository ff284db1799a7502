#include "core/slicing_error.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace riesz {
namespace {

constexpr DirectionSpec kIid{.kind = DirectionKind::kIid, .count = 5};
constexpr DirectionSpec kBlocks{.kind = DirectionKind::kOrthogonal, .count = 5};  // 2, 2, 1 in R^2

TEST(AverageSlices, OfIidSlicesIsTheStandardErrorOfTheMean) {
  const std::vector<double> values = {1, 2, 4, 7, 11};
  const SliceMean average = AverageSlices(values, kIid, 2);
  EXPECT_EQ(average.mean, 5);
  // Sample variance (16 + 9 + 1 + 4 + 36) / 4, over 5.
  EXPECT_NEAR(average.standard_error.value(), std::sqrt(66.0 / 4 / 5), 1e-15);
}

TEST(AverageSlices, OfBlocksIsTheirSpread) {
  const std::vector<double> values = {1, 2, 4, 7, 11};
  const SliceMean average = AverageSlices(values, kBlocks, 2);
  EXPECT_EQ(average.mean, 5);
  const double spread = 2 * std::pow(1.5 - 5, 2) + 2 * std::pow(5.5 - 5, 2) + std::pow(11 - 5, 2);
  EXPECT_NEAR(average.standard_error.value(), std::sqrt(spread / (2 * 5)), 1e-15);
}

TEST(AverageSlices, OfOneBlockHasNoError) {
  const std::vector<double> values = {1, 2, 4, 7, 11};
  EXPECT_FALSE(AverageSlices(values, kBlocks, 5).standard_error.has_value());
  EXPECT_FALSE(AverageSlices(std::vector<double>{3}, {.kind = DirectionKind::kIid, .count = 1}, 2)
                   .standard_error.has_value());
}

TEST(AverageSlices, InOneDimensionThereIsNoErrorToMake) {
  for (const DirectionSpec& spec : {kIid, kBlocks}) {
    const SliceMean average = AverageSlices(std::vector<double>{3}, spec, 1);
    EXPECT_EQ(average.mean, 3);
    EXPECT_EQ(average.standard_error.value(), 0);
  }
}

TEST(IndependentBlockCount, CountsSlicesOrBlocks) {
  EXPECT_EQ(IndependentBlockCount(kIid, 2), 5);
  EXPECT_EQ(IndependentBlockCount(kBlocks, 2), 3);
  EXPECT_EQ(IndependentBlockCount(kIid, 1), 1);
  EXPECT_EQ(IndependentBlockCount(kBlocks, 1), 1);
}

TEST(MeanVectorError, OfOneComponentIsThatOfTheMean) {
  const std::vector<double> values = {1, 2, 4, 7, 11};
  const double sum = 25;
  double iid_squares = 0;
  for (const double v : values) iid_squares += v * v;
  EXPECT_NEAR(MeanVectorError(iid_squares, sum * sum, kIid, 2).value(),
              AverageSlices(values, kIid, 2).standard_error.value(), 1e-14);
  const double block_squares = 9.0 / 2 + 121.0 / 2 + 121;
  EXPECT_NEAR(MeanVectorError(block_squares, sum * sum, kBlocks, 2).value(),
              AverageSlices(values, kBlocks, 2).standard_error.value(), 1e-14);
}

TEST(MeanVectorError, IsZeroNotNaNWhereBlocksAgree) {
  // Rounding may leave the difference below zero.
  EXPECT_EQ(MeanVectorError(5 * 0.01 - 1e-17, 25 * 0.01, kIid, 2).value(), 0);
  EXPECT_FALSE(MeanVectorError(1, 1, kBlocks, 5).has_value());
  EXPECT_EQ(MeanVectorError(1, 1, kBlocks, 1).value(), 0);
}

}  // namespace
}  // namespace riesz
