#include "core/engine/error_target.h"

#include <gtest/gtest.h>

#include <cmath>
#include <optional>

#include "core/validate.h"

namespace riesz {
namespace {

EnergyDistance Round(double value, std::optional<double> error, int64_t slices) {
  return {.energy_distance = value,
          .slicing_standard_error = error,
          .slices = slices,
          .blocks = slices / 10};
}

TEST(ErrorTarget, IsTheLargerOfAbsoluteAndRelative) {
  const ErrorTarget target{.absolute = 0.1, .relative = 0.01};
  EXPECT_EQ(target.For(5), 0.1);
  EXPECT_EQ(target.For(-50), 0.5);
}

TEST(ErrorTarget, RefusesWhatNoValueCanMeet) {
  EXPECT_TRUE(Validate(ErrorTarget{.relative = 0.01}, "t").ok());
  for (const ErrorTarget& bad :
       {ErrorTarget{}, ErrorTarget{.absolute = -1}, ErrorTarget{.relative = NAN},
        ErrorTarget{.absolute = HUGE_VAL}, ErrorTarget{.absolute = 1, .max_slices = 0},
        ErrorTarget{.absolute = 1, .max_slices = kMaxSlices + 1}}) {
    EXPECT_EQ(Validate(bad, "t").code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(Validate(ErrorTarget{.absolute = 1, .max_slices = 0}, "error_target").message(),
            "error_target.max_slices must be in [1, 1048576], got 0");
}

// 100 slices of mean 1 and error 0.3 with 300 of mean 2 and error 0.1: the mean of 400, and the
// root of (100 * 0.3)^2 + (300 * 0.1)^2 over 400.
TEST(CombineRounds, WeighsRoundsByTheirSlices) {
  const EnergyDistance all = CombineRounds(Round(1, 0.3, 100), Round(2, 0.1, 300));
  EXPECT_DOUBLE_EQ(all.energy_distance, 1.75);
  EXPECT_DOUBLE_EQ(all.slicing_standard_error.value(), std::sqrt(2.0) * 30 / 400);
  EXPECT_EQ(all.slices, 400);
  EXPECT_EQ(all.blocks, 40);
  EXPECT_FALSE(CombineRounds(Round(1, {}, 1), Round(1, 0.1, 1)).slicing_standard_error);
}

TEST(FirstRound, HasFourBlocksUnlessTheBudgetIsSmaller) {
  const ErrorTarget target{.relative = 0.01};
  EXPECT_EQ(FirstRoundSlices(target, DirectionKind::kOrthogonal, 784), 4 * 784);
  EXPECT_EQ(FirstRoundSlices(target, DirectionKind::kOrthogonal, 10), 260);
  EXPECT_EQ(FirstRoundSlices({.relative = 0.01, .max_slices = 99}, DirectionKind::kOrthogonal, 784),
            99);
}

TEST(NextRound, AddsWhatTheErrorAsksForInWholeBlocks) {
  const ErrorTarget target{.absolute = 0.1};
  // Error 0.15 at 100 slices: 1.1 * 2.25 * 100 = 247.5 in all, 147.5 more.
  EXPECT_EQ(NextRoundSlices(target, Round(1, 0.15, 100), DirectionKind::kOrthogonal, 10), 150);
  EXPECT_EQ(NextRoundSlices(target, Round(1, 0.1, 100), DirectionKind::kOrthogonal, 10), 0);
}

TEST(NextRound, NeverMoreThanTriplesWhatThereIsNorPassesTheBudget) {
  const ErrorTarget target{.absolute = 1e-9, .max_slices = 1000};
  EXPECT_EQ(NextRoundSlices(target, Round(1, 1, 100), DirectionKind::kOrthogonal, 10), 300);
  EXPECT_EQ(NextRoundSlices(target, Round(1, 1, 400), DirectionKind::kOrthogonal, 10), 600);
  EXPECT_EQ(NextRoundSlices(target, Round(1, 1, 985), DirectionKind::kOrthogonal, 10), 0);
  EXPECT_EQ(NextRoundSlices({.relative = 0.1, .max_slices = 1000}, Round(0, 1, 100),
                            DirectionKind::kOrthogonal, 10),
            300)
      << "a value of 0 leaves a relative target without limit";
}

TEST(NextRound, IsNoneWhereTheValueOverflowed) {
  for (const EnergyDistance& all : {Round(NAN, NAN, 100), Round(HUGE_VAL, 1, 100)}) {
    EXPECT_EQ(NextRoundSlices({.absolute = 1e-3}, all, DirectionKind::kOrthogonal, 10), 0);
  }
}

TEST(NextRound, IsNoneWhereTheErrorIsUnknown) {
  EXPECT_EQ(NextRoundSlices({.absolute = 1}, Round(1, {}, 99), DirectionKind::kOrthogonal, 784), 0);
}

}  // namespace
}  // namespace riesz
