#include "core/validate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "core/error.h"

namespace riesz {
namespace {

void ExpectRefused(const absl::Status& status, std::string_view field, std::string_view rest) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_EQ(std::string(status.message()), std::string(field) + std::string(rest));
  const auto detail = DetailOf(status);
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason, ErrorReason::kInvalidField);
  EXPECT_EQ(detail->metadata.at("field"), field);
}

TEST(ValidateShape, NamesTheFieldTheRangeAndTheValue) {
  EXPECT_TRUE(ValidateShape(1, 1, "ensemble").ok());
  EXPECT_TRUE(ValidateShape(kMaxCount, 1024, "ensemble").ok());
  ExpectRefused(ValidateShape(0, 1, "ensemble"), "ensemble.count",
                " must be in [1, 1073741824], got 0");
  ExpectRefused(ValidateShape(1, -3, ""), "dimension", " must be in [1, 1048576], got -3");
  ExpectRefused(ValidateShape(kMaxCount, 1025, "ensemble"), "ensemble.count",
                " must be at most 1072694271 at dimension 1025, got 1073741824");
  EXPECT_FALSE(ValidateShape(std::numeric_limits<int64_t>::max(), kMaxDim, "ensemble").ok());
}

TEST(ValidateExponent, LiesBetweenZeroAndTwo) {
  for (const double r : {1e-9, 1.0, 1.999}) EXPECT_TRUE(ValidateExponent(r, "").ok());
  ExpectRefused(ValidateExponent(2, ""), "exponent", " must be in (0, 2), got 2");
  ExpectRefused(ValidateExponent(0, "job"), "job.exponent", " must be in (0, 2), got 0");
  EXPECT_FALSE(ValidateExponent(std::nan(""), "").ok());
}

TEST(ValidateDirections, BoundsTheSlices) {
  EXPECT_TRUE(ValidateDirections({.count = kMaxSlices}, 3, "").ok());
  ExpectRefused(ValidateDirections({.count = 0}, 3, "flow"), "flow.directions.count",
                " must be in [1, 1048576], got 0");
  EXPECT_FALSE(ValidateDirections({.count = kMaxSlices + 1}, 3, "").ok());
}

TEST(ValidateDirections, RefusesKindsThatDoNotServeTheDimension) {
  const DirectionSpec even{.kind = DirectionKind::kLowDiscrepancy};
  for (const int64_t dim : {1, 2, 30}) EXPECT_TRUE(ValidateDirections(even, dim, "").ok());
  ExpectRefused(ValidateDirections(even, 31, "flow"), "flow.directions.kind",
                " must be a kind that serves dimension 31, got low-discrepancy (at most 30)");
  const DirectionSpec structured{.kind = DirectionKind::kStructured};
  for (const int64_t dim : {1, 16, 784}) EXPECT_TRUE(ValidateDirections(structured, dim, "").ok());
  ExpectRefused(ValidateDirections(structured, 15, ""), "directions.kind",
                " must be a kind that serves dimension 15, got structured (at least 16)");
}

TEST(ValidateEnergyDistance, ChecksSpecAgainstShapes) {
  EnergyDistanceSpec spec;
  EXPECT_TRUE(Validate(spec, 1, 1, 3, 3).ok());
  ExpectRefused(Validate(spec, 1, 1, 3, 4), "y.dimension", " must be 3 as x.dimension is, got 4");
  ExpectRefused(Validate(spec, 0, 1, 3, 3), "x.count", " must be in [1, 1073741824], got 0");
  spec.estimator = Estimator::kU;
  EXPECT_TRUE(Validate(spec, 2, 2, 3, 3).ok());
  ExpectRefused(Validate(spec, 2, 1, 3, 3), "y.count",
                " must be at least 2 for the U-statistic, got 1");
  spec.method = Method::kSliced;
  spec.exponent = 0.1;
  EXPECT_TRUE(Validate(spec, 2, 2, 3, 3).ok());
  spec.exponent = 2;
  ExpectRefused(Validate(spec, 2, 2, 3, 3), "exponent", " must be in (0, 2), got 2");
  // Directions are read only when sliced.
  spec = {.method = Method::kExact, .exponent = 1.5, .directions = {.count = 0}};
  EXPECT_TRUE(Validate(spec, 2, 2, 3, 3).ok());
}

TEST(ValidateGradient, ChecksSpecAgainstShapes) {
  EXPECT_TRUE(Validate(GradientSpec{}, 1, 1, 3, 3).ok());
  EXPECT_FALSE(Validate(GradientSpec{}, 1, 1, 3, 4).ok());
  GradientSpec spec;
  spec.exponent = 0.51;
  EXPECT_TRUE(Validate(spec, 1, 1, 3, 3).ok());
  spec.exponent = 0.5;
  EXPECT_FALSE(Validate(spec, 1, 1, 3, 3).ok());
  spec.method = Method::kExact;
  EXPECT_TRUE(Validate(spec, 1, 1, 3, 3).ok());
}

TEST(ValidateFlow, NamesTheFieldTheRangeAndTheValue) {
  const auto refused = [](FlowSpec spec, std::string_view field, std::string_view rest) {
    ExpectRefused(Validate(spec, 5, 6, 4, 4), field, rest);
  };
  EXPECT_TRUE(Validate(FlowSpec{}, 5, 6, 4, 4).ok());
  FlowSpec spec;
  spec.step_size = -1;
  refused(spec, "flow.step_size", " must be in (0, 10], got -1");
  spec.step_size = 10.5;
  refused(spec, "flow.step_size", " must be in (0, 10], got 10.5");
  spec.step_size = std::nan("");
  refused(spec, "flow.step_size", " must be in (0, 10], got nan");
  spec = {};
  spec.momentum = 1;
  refused(spec, "flow.momentum", " must be in [0, 1), got 1");
  spec = {};
  spec.exponent = 2;
  refused(spec, "flow.exponent", " must be in (0, 2), got 2");
  spec = {};
  spec.directions.count = 0;
  refused(spec, "flow.directions.count", " must be in [1, 1048576], got 0");
  ExpectRefused(Validate(FlowSpec{}, 5, 6, 4, 5), "target.dimension",
                " must be 4 as start.dimension is, got 5");
}

TEST(ValidateFlow, FrozenRangesAreBounded) {
  FlowSpec spec;
  for (int64_t k = 0; k < kMaxFrozenRanges; ++k) spec.frozen.push_back({2 * k, 2 * k + 1});
  EXPECT_TRUE(Validate(spec, 5, 6, 4096, 4096).ok());
  spec.frozen.push_back({4000, 4001});
  ExpectRefused(Validate(spec, 5, 6, 4096, 4096), "flow.frozen",
                " must be at most 1024 ranges, got 1025");
}

TEST(ValidateFlow, FrozenRangesAreSortedAndDisjoint) {
  const auto valid = [](std::vector<CoordinateRange> frozen) {
    return Validate(FlowSpec{.directions = {}, .frozen = std::move(frozen)}, 5, 6, 4, 4).ok();
  };
  EXPECT_TRUE(valid({{0, 4}}));
  EXPECT_TRUE(valid({{0, 1}, {1, 2}, {3, 4}}));
  EXPECT_FALSE(valid({{0, 5}}));
  EXPECT_FALSE(valid({{-1, 2}}));
  EXPECT_FALSE(valid({{2, 2}}));
  EXPECT_FALSE(valid({{2, 3}, {0, 1}}));
  EXPECT_FALSE(valid({{0, 2}, {1, 3}}));
  ExpectRefused(Validate(FlowSpec{.directions = {}, .frozen = {{0, 2}, {1, 3}}}, 5, 6, 4, 4),
                "flow.frozen[1]",
                " must be a range with 2 <= begin < end <= 4 (sorted, disjoint), got [1, 3)");
}

}  // namespace
}  // namespace riesz
