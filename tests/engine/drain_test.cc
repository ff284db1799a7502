// Draining: flows stop at a step boundary, computations may finish until the deadline.
#include <thread>

#include "tests/engine/engine_fixture.h"

namespace riesz {
namespace {

class DrainTest : public EngineFixture {
 protected:
  void StartGated(FakeBackendOptions fake = {}) {
    fake.on_chunk = [this](FakeCall, int64_t) { gate.Pass(); };
    Start(fake);
    ASSERT_TRUE(Put("x", 1, {1, 2}).ok());
    ASSERT_TRUE(Put("y", 1, {4, 5}).ok());
    ASSERT_TRUE(NewFlow("f").ok());
  }
  // Begins to drain on another thread and returns once new work is refused.
  std::thread BeginDrain(Clock::Time deadline) {
    std::thread draining([this, deadline] { engine->Drain(deadline); });
    while (engine->GetFlow(context, "f").ok()) std::this_thread::yield();
    return draining;
  }
  Gate gate;
};

TEST_F(DrainTest, ARunningFlowRestsAtAStepBoundary) {
  FakeBackendOptions fake;
  fake.chunks_per_step = 3;
  StartGated(fake);
  auto watch = engine->WatchFlow(context, "f", [] {});
  ASSERT_TRUE(engine->AdvanceFlow(context, "f", 1'000'000).ok());
  gate.Allow(4);
  gate.AwaitArrivals(5);
  std::thread draining = BeginDrain(Clock::Time::max());
  gate.Open();
  draining.join();
  const auto info = (*watch)->Latest();
  EXPECT_EQ(info->phase, FlowPhase::kReady);
  // The step under way may still end before the flow hears of the drain; no other begins.
  EXPECT_GE(info->step, 1);
  EXPECT_LE(info->step, 2);
  EXPECT_EQ(info->target_step, info->step);
  watch->reset();
}

TEST_F(DrainTest, AComputationFinishesBeforeTheDeadline) {
  StartGated();
  Await<EnergyDistanceReply> distance;
  engine->ComputeEnergyDistance(context, Distance(), distance.callback());
  gate.AwaitArrivals(1);
  std::thread draining = BeginDrain(Clock::Time::max());
  gate.Open();
  draining.join();
  EXPECT_TRUE(distance.Get().ok()) << distance.Get().status();
}

TEST_F(DrainTest, AComputationIsStoppedAtTheDeadline) {
  FakeBackendOptions fake;
  fake.chunks = 1000;
  StartGated(fake);
  Await<EnergyDistanceReply> distance;
  engine->ComputeEnergyDistance(context, Distance(), distance.callback());
  gate.AwaitArrivals(1);
  std::thread draining = BeginDrain(clock.Now());
  gate.Open();
  draining.join();
  EXPECT_EQ(ReasonOf(distance.Get().status()), ErrorReason::kDraining);
  EXPECT_LE(backend->chunks(), 3) << "within the quantum of 50 ms";
}

TEST_F(DrainTest, EveryCallIsRefusedAfterwards) {
  StartGated();
  gate.Open();
  engine->Drain(clock.Now());
  engine->Drain(clock.Now());
  EXPECT_EQ(ReasonOf(Generate("z").status()), ErrorReason::kDraining);
  EXPECT_EQ(ReasonOf(NewFlow("g").status()), ErrorReason::kDraining);
  EXPECT_EQ(ReasonOf(engine->AdvanceFlow(context, "f", 5).status()), ErrorReason::kDraining);
  EXPECT_EQ(ReasonOf(engine->ListEnsembles(context, {}).status()), ErrorReason::kDraining);
  EXPECT_EQ(ReasonOf(engine->StartUpload(context, {}).status()), ErrorReason::kDraining);
  Await<EnergyDistanceReply> distance;
  engine->ComputeEnergyDistance(context, Distance(), distance.callback());
  ASSERT_TRUE(distance.answered());
  EXPECT_EQ(distance.Get().status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace riesz
