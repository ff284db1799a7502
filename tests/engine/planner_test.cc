#include "core/engine/planner.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/support/fake_backend.h"

namespace riesz {
namespace {

ResolvedShape Shape(int64_t count, int64_t dim) {
  return {.count = count, .dim = dim, .flow_step = std::nullopt};
}

TEST(PlannerTest, DirectionsAreEvenlySpreadInThePlaneAndOrthogonalAbove) {
  EXPECT_EQ(PlanDirections({}, 3, 1000, "directions")->kind, DirectionKind::kOrthogonal);
  EXPECT_EQ(PlanDirections({}, 2, 1000, "directions")->kind, DirectionKind::kLowDiscrepancy);
  EXPECT_EQ(PlanDirections({}, 784, 1000, "directions")->count, 1000);
  EXPECT_EQ(PlanDirections({}, 1, 1000, "directions")->count, 1) << "there is one slice";
}

TEST(PlannerTest, WhatIsAskedForIsKept) {
  const auto spec =
      PlanDirections({.kind = DirectionKind::kIid, .count = 7, .seed = 9}, 784, 1000, "directions");
  ASSERT_TRUE(spec.ok());
  EXPECT_EQ(spec->kind, DirectionKind::kIid);
  EXPECT_EQ(spec->count, 7);
  EXPECT_EQ(spec->seed, 9u);
}

TEST(PlannerTest, SeedsThatAreChosenDiffer) {
  // 53 random bits: equal once in 9e15 runs.
  EXPECT_NE(PlanDirections({}, 3, 10, "directions")->seed,
            PlanDirections({}, 3, 10, "directions")->seed);
}

TEST(PlannerTest, ACountOutOfRangeIsNamed) {
  for (const int64_t count : {int64_t{-1}, (int64_t{1} << 20) + 1}) {
    const auto refused =
        PlanDirections({.kind = {}, .count = count, .seed = {}}, 3, 10, "directions");
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(DetailOf(refused.status())->metadata.at("field"), "directions.count");
  }
}

TEST(PlannerTest, AutoTakesTheMethodThatIsPredictedCheaper) {
  EnergyDistanceRequest request;
  const FakeBackend exact_cheaper({.exact_seconds = 1, .sliced_seconds = 2});
  const FakeBackend sliced_cheaper({.exact_seconds = 2, .sliced_seconds = 1});
  const ResolvedShape shape = Shape(10, 3);
  EXPECT_EQ(PlanEnergyDistance(exact_cheaper, request, shape, shape)->method, Method::kExact);
  EXPECT_EQ(PlanEnergyDistance(sliced_cheaper, request, shape, shape)->method, Method::kSliced);
  request.exponent = 1.5;
  EXPECT_EQ(PlanEnergyDistance(sliced_cheaper, request, shape, shape)->method, Method::kSliced);
  GradientRequest rough;
  rough.exponent = 0.5;
  EXPECT_EQ(PlanGradient(sliced_cheaper, rough, shape, shape)->method, Method::kExact)
      << "only exact gradients take such exponents";
  EXPECT_EQ(PlanGradient(sliced_cheaper, {}, shape, shape)->method, Method::kSliced);
}

TEST(PlannerTest, FlowsKeepTheirExponent) {
  FlowParametersRequest parameters;
  parameters.exponent = 1.5;
  EXPECT_EQ(PlanFlow(parameters, Shape(10, 3), Shape(20, 3))->exponent, 1.5);
  parameters.exponent = 0.5;
  EXPECT_EQ(PlanFlow(parameters, Shape(10, 3), Shape(20, 3)).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(PlannerTest, OperandsThatDoNotFitAreRefused) {
  const FakeBackend backend;
  EXPECT_EQ(PlanEnergyDistance(backend, {}, Shape(10, 3), Shape(10, 4)).status().code(),
            absl::StatusCode::kInvalidArgument);
  EnergyDistanceRequest unbiased;
  unbiased.estimator = Estimator::kU;
  EXPECT_EQ(PlanEnergyDistance(backend, unbiased, Shape(1, 3), Shape(10, 3)).status().code(),
            absl::StatusCode::kInvalidArgument);
  GradientRequest sliced;
  sliced.method = MethodChoice::kSliced;
  sliced.exponent = 0.5;
  EXPECT_EQ(PlanGradient(backend, sliced, Shape(10, 3), Shape(10, 3)).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(PlannerTest, FlowsHaveFiveHundredSlicesAndABoundedMeasuringPeriod) {
  EXPECT_EQ(PlanFlow({}, Shape(10, 3), Shape(20, 3))->directions.count, 500);
  for (const int64_t every : {int64_t{0}, int64_t{1'000'001}}) {
    FlowParametersRequest parameters;
    parameters.measure_every = every;
    const auto refused = PlanFlow(parameters, Shape(10, 3), Shape(20, 3));
    EXPECT_EQ(DetailOf(refused.status())->metadata.at("field"), "flow.measure_every");
  }
}

}  // namespace
}  // namespace riesz
