// The flow stepper: its recursion, what may not move it, and what nobody may see.
#include <cmath>
#include <limits>

#include "core/kernel.h"
#include "tests/contract/contract.h"
#include "tests/contract/oracle.h"

namespace riesz::contract {
namespace {

class Flow : public BackendContract {
 protected:
  const Points start_ = Normals(37, 6, 1), target_ = Normals(53, 6, 2, 0.5f, 1.0f);
  const FlowSpec spec_{
      .step_size = 0.75, .momentum = 0.6, .directions = {.count = 15, .seed = 7}, .frozen = {}};

  static void ExpectSame(const FlowState& a, const FlowState& b) {
    EXPECT_EQ(a.step, b.step);
    EXPECT_EQ(a.particles, b.particles);
    EXPECT_EQ(a.velocity, b.velocity);
  }

  // Compares a step from `before` to `after` with v' = grad + m v, x' = x - tau n v' and the
  // oracle's gradient along the step's own directions.
  void ExpectStep(const FlowState& before, const FlowState& after, const Points& target,
                  const FlowSpec& spec) {
    const auto d = target.d;
    const auto n = static_cast<int64_t>(before.particles.size()) / d;
    const auto nd = static_cast<double>(n);
    const BoundedVelocity oracle =
        SlicedVelocity(Points(n, d, before.particles), target, spec.directions,
                       static_cast<uint64_t>(before.step));
    constexpr double kEpsilon = 0x1p-24;
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t k = 0; k < d; ++k) {
        const auto e = static_cast<size_t>(i * d + k);
        const double kept = spec.momentum * before.velocity[e];
        const double v = oracle.velocity[e] / nd + kept;
        // Three roundings of v, three of x.
        const double v_bound = oracle.bound[static_cast<size_t>(i)] / nd +
                               4 * kEpsilon * (std::abs(v) + std::abs(kept));
        EXPECT_NEAR(after.velocity[e], v, v_bound) << "particle " << i << ", coordinate " << k;
        const double moved = spec.step_size * nd * after.velocity[e];
        EXPECT_NEAR(after.particles[e], before.particles[e] - moved,
                    4 * kEpsilon * (std::abs(before.particles[e]) + std::abs(moved)));
      }
    }
  }
};
RIESZ_ON_EVERY_BACKEND(Flow);

TEST_P(Flow, StartsAtTheStartWithoutVelocity) {
  auto flow = BackendContract::Flow(start_, target_, spec_);
  const FlowState state = flow->Save().value();
  EXPECT_EQ(state.step, 0);
  EXPECT_EQ(state.particles, start_.values);
  EXPECT_EQ(state.velocity, std::vector<float>(start_.values.size()));
  EXPECT_FALSE(flow->measurement().has_value());
  EXPECT_GE(flow->chunks_per_step(), 1);
}

TEST_P(Flow, FirstStepFollowsTheGradientOfTheSameDirections) {
  auto flow = BackendContract::Flow(start_, target_, spec_);
  Advance(*flow, 1);
  const Gradient g = SlicedGradient(start_, target_, spec_.directions);
  const FlowState state = flow->Save().value();
  // Sums of 15 slices, |h| <= 2, rounded in one order or another; then what momentum and step
  // round.
  const double rounding = 2 * (15 + 8) * 0x1p-24 * SlicingConstant(6, 1) * 2 / 37;
  for (size_t e = 0; e < g.values.size(); ++e) {
    EXPECT_NEAR(state.velocity[e], g.values[e], rounding);
    const double moved = 0.75 * 37 * g.values[e];
    EXPECT_NEAR(state.particles[e], start_.values[e] - moved,
                0.75 * 37 * rounding + 4 * 0x1p-24 * std::abs(start_.values[e]));
  }
}

TEST_P(Flow, EveryStepIsTheMomentumRecursion) {
  for (const DirectionKind kind : KindsFor(start_.d)) {
    FlowSpec spec = spec_;
    spec.directions.kind = kind;
    auto flow = BackendContract::Flow(start_, target_, spec);
    FlowState before = flow->Save().value();
    for (int step = 0; step < 4; ++step) {
      Advance(*flow, 1);
      FlowState after = flow->Save().value();
      EXPECT_EQ(after.step, step + 1);
      ExpectStep(before, after, target_, spec);
      before = std::move(after);
    }
  }
}

TEST_P(Flow, WorksInOneDimensionAndFromOneParticle) {
  for (const auto& [n, m, d] : {std::array<int64_t, 3>{5, 9, 1}, {1, 9, 3}, {9, 1, 3}, {1, 1, 1}}) {
    const Points start = Normals(n, d, 1), target = Normals(m, d, 2);
    auto flow = BackendContract::Flow(start, target, spec_);
    const FlowState before = flow->Save().value();
    Advance(*flow, 1);
    ExpectStep(before, flow->Save().value(), target, spec_);
  }
}

TEST_P(Flow, DescendsToTheTarget) {
  FlowSpec spec = spec_;
  spec.step_size = 1;
  spec.directions.count = 60;
  auto flow = BackendContract::Flow(start_, target_, spec);
  Advance(*flow, 60);
  const Points end(start_.n, start_.d, flow->Save().value().particles);
  EXPECT_LT(Exact(end, target_), 0.1 * Exact(start_, target_));
}

TEST_P(Flow, FrozenCoordinatesNeverMoveABit) {
  FlowSpec spec = spec_;
  spec.frozen = {{0, 2}, {5, 6}};
  auto flow = BackendContract::Flow(start_, target_, spec);
  Advance(*flow, 5, true);
  const FlowState state = flow->Save().value();
  // The others take part in all projections: they move as if nothing were frozen, in the first
  // step.
  auto first = BackendContract::Flow(start_, target_, spec);
  auto free = BackendContract::Flow(start_, target_, spec_);
  Advance(*first, 1);
  Advance(*free, 1);
  const FlowState one = first->Save().value(), free_one = free->Save().value();
  for (size_t e = 0; e < state.particles.size(); ++e) {
    const size_t k = e % 6;
    if (k < 2 || k == 5) {
      EXPECT_EQ(state.particles[e], start_.values[e]);
      EXPECT_EQ(state.velocity[e], 0);
    } else {
      EXPECT_NE(state.particles[e], start_.values[e]);
      EXPECT_EQ(one.particles[e], free_one.particles[e]);
    }
  }
}

TEST_P(Flow, MeasuringChangesNoBit) {
  auto plain = BackendContract::Flow(start_, target_, spec_);
  auto measured = BackendContract::Flow(start_, target_, spec_);
  Advance(*plain, 4);
  Advance(*measured, 4, true);
  ExpectSame(plain->Save().value(), measured->Save().value());
  EXPECT_FALSE(plain->measurement().has_value());
}

TEST_P(Flow, MeasuresTheParticlesBeforeTheyMove) {
  auto flow = BackendContract::Flow(start_, target_, spec_);
  Advance(*flow, 2);
  const Points before(start_.n, start_.d, flow->Save().value().particles);
  Advance(*flow, 1, true);
  Advance(*flow, 1);  // does not measure: the measurement stays
  ASSERT_TRUE(flow->measurement().has_value());
  const StepMeasurement m = *flow->measurement();
  EXPECT_EQ(m.step, 2);
  const Bounded value = SlicedDistance(before, target_, spec_.directions, Estimator::kV, 2);
  EXPECT_NEAR(m.energy_distance, value.value, value.bound);
  const BoundedVelocity velocity = SlicedVelocity(before, target_, spec_.directions, 2);
  double square = 0, square_bound = 0;
  for (const double v : velocity.velocity) square += v * v;
  for (const double b : velocity.bound) square_bound += b * b;
  EXPECT_NEAR(m.rms_velocity, std::sqrt(square / 37), std::sqrt(square_bound / 37));
  ASSERT_TRUE(m.slicing_standard_error.has_value());  // 15 directions in R^6: three blocks
  EXPECT_GT(*m.slicing_standard_error, 0);
}

TEST_P(Flow, SavedAndRestoredItGoesOnWithTheSameBits) {
  auto flow = BackendContract::Flow(start_, target_, spec_);
  Advance(*flow, 3);
  const FlowState saved = flow->Save().value();
  Advance(*flow, 4);
  auto other = BackendContract::Flow(target_, target_, spec_);
  EXPECT_EQ(other->Restore(saved).code(), absl::StatusCode::kInvalidArgument);  // 53 particles
  other = BackendContract::Flow(start_, target_, spec_);
  ASSERT_TRUE(other->Restore(saved).ok());
  ExpectSame(other->Save().value(), saved);
  Advance(*other, 4);
  ExpectSame(other->Save().value(), flow->Save().value());
}

TEST_P(Flow, QuantaAndStopsChangeNoBit) {
  auto whole = BackendContract::Flow(start_, target_, spec_);
  Advance(*whole, 3);
  auto pieces = BackendContract::Flow(start_, target_, spec_);
  Advance(*pieces, 3, false, 1);
  ExpectSame(pieces->Save().value(), whole->Save().value());
  auto stopped = BackendContract::Flow(start_, target_, spec_);
  while (stopped->step() < 3) {
    std::stop_source source;
    source.request_stop();
    Budget budget = Budget::Unlimited();
    ASSERT_EQ(stopped->Step(budget, source.get_token(), false).value(), RunResult::kStopped);
    Budget one = Budget::OfChunks(1);
    ASSERT_TRUE(stopped->Step(one, {}, false).ok());
  }
  ExpectSame(stopped->Save().value(), whole->Save().value());
}

TEST_P(Flow, AStepUnderWayIsInvisible) {
  FlowSpec spec = spec_;
  spec.directions.count = 700;  // several chunks on every backend
  auto flow = BackendContract::Flow(start_, target_, spec);
  Advance(*flow, 1);
  const FlowState before = flow->Save().value();
  for (;;) {
    Budget one = Budget::OfChunks(1);
    const RunResult run = flow->Step(one, {}, true).value();
    if (run == RunResult::kDone) break;
    EXPECT_EQ(flow->step(), 1);
    ExpectSame(flow->Save().value(), before);
    EXPECT_EQ(Download(*flow->Snapshot().value()), before.particles);
    EXPECT_FALSE(flow->measurement().has_value());
  }
  EXPECT_EQ(flow->step(), 2);
  const FlowState second = flow->Save().value();
  // Restoring drops a step under way.
  Budget one = Budget::OfChunks(1);
  ASSERT_TRUE(flow->Step(one, {}, false).ok());
  ASSERT_TRUE(flow->Restore(before).ok());
  ExpectSame(flow->Save().value(), before);
  Advance(*flow, 1);
  ExpectSame(flow->Save().value(), second);
}

TEST_P(Flow, SnapshotsAreCopies) {
  auto flow = BackendContract::Flow(start_, target_, spec_);
  const Ensemble snapshot = flow->Snapshot().value();
  Advance(*flow, 1);
  EXPECT_EQ(Download(*snapshot), start_.values);
  EXPECT_NE(Download(*flow->Snapshot().value()), start_.values);
}

TEST_P(Flow, ANonFiniteStepIsRefusedAndTheLastStateKept) {
  auto flow = BackendContract::Flow(start_, target_, spec_);
  Advance(*flow, 2);
  FlowState state = flow->Save().value();
  // Gradients are bounded, so only momentum can leave float32's range.
  state.velocity[7] = std::numeric_limits<float>::max();
  ASSERT_TRUE(flow->Restore(state).ok());
  for (int attempt = 0; attempt < 2; ++attempt) {
    Budget budget = Budget::Unlimited();
    const absl::StatusOr<RunResult> run = flow->Step(budget, {}, true);
    ASSERT_FALSE(run.ok());
    EXPECT_EQ(run.status().code(), absl::StatusCode::kDataLoss) << run.status();
    ExpectSame(flow->Save().value(), state);
    EXPECT_EQ(flow->step(), 2);
    EXPECT_EQ(Download(*flow->Snapshot().value()), state.particles);
  }
  // The flow can be put right and goes on.
  state.velocity[7] = 0;
  ASSERT_TRUE(flow->Restore(state).ok());
  Advance(*flow, 1);
  EXPECT_EQ(flow->step(), 3);
}

TEST_P(Flow, RestoreRefusesAnotherFlowsState) {
  auto flow = BackendContract::Flow(start_, target_, spec_);
  const FlowState good = flow->Save().value();
  FlowState bad = good;
  bad.particles.pop_back();
  EXPECT_EQ(flow->Restore(bad).code(), absl::StatusCode::kInvalidArgument);
  bad = good;
  bad.velocity.push_back(0);
  EXPECT_EQ(flow->Restore(bad).code(), absl::StatusCode::kInvalidArgument);
  ExpectSame(flow->Save().value(), good);
}

}  // namespace
}  // namespace riesz::contract
