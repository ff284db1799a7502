// A flow's life through the engine, on a fake backend whose steps add 1 to every coordinate.
#include <atomic>
#include <thread>

#include "tests/engine/engine_fixture.h"

namespace riesz {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FlowTest : public EngineFixture {
 protected:
  void StartWithFlow(FakeBackendOptions fake = {}, EngineOptions options = {}) {
    Start(std::move(fake), std::move(options));
    ASSERT_TRUE(Put("x", 2, {0, 0, 10, 10}).ok());
    ASSERT_TRUE(Put("y", 2, {100, 100}).ok());
    ASSERT_TRUE(NewFlow("f").ok());
  }
};

TEST_F(FlowTest, ANewFlowIsReadyAtItsStart) {
  StartWithFlow();
  const auto info = engine->GetFlow(context, "f");
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->phase, FlowPhase::kReady);
  EXPECT_EQ(info->step, 0);
  EXPECT_EQ(info->count, 2);
  EXPECT_EQ(info->dim, 2);
  EXPECT_EQ(info->spec.directions.count, 500);
  EXPECT_EQ(info->start, "ensemble x");
  EXPECT_EQ(info->target, "y");
  EXPECT_FALSE(info->measurement.has_value());
  EXPECT_THAT(Read(FlowRef{"f", std::nullopt}), ElementsAre(0, 0, 10, 10));
}

TEST_F(FlowTest, AdvanceStepsExactlyToTheTarget) {
  StartWithFlow();
  const auto info = Advance("f", 7);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->phase, FlowPhase::kReady);
  EXPECT_EQ(info->step, 7);
  EXPECT_EQ(info->target_step, 7);
  EXPECT_GT(info->steps_per_second, 0);
  EXPECT_THAT(Read(FlowRef{"f", 7}), ElementsAre(7, 7, 17, 17));
}

TEST_F(FlowTest, ATargetAlreadyReachedIsOk) {
  StartWithFlow();
  ASSERT_TRUE(Advance("f", 7).ok());
  const int64_t chunks = backend->chunks();
  const auto again = engine->AdvanceFlow(context, "f", 3);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->phase, FlowPhase::kReady);
  EXPECT_EQ(again->step, 7);
  EXPECT_EQ(backend->chunks(), chunks);
}

TEST_F(FlowTest, TheParticlesAtTheTargetAreMeasuredAndNotMoved) {
  StartWithFlow();
  const auto info = Advance("f", 7);
  ASSERT_TRUE(info->measurement.has_value());
  // The fake measures |x - y| of the first coordinates: |7 - 100|.
  EXPECT_EQ(info->measurement->step, 7);
  EXPECT_EQ(info->measurement->energy_distance, 93);
  EXPECT_EQ(backend->calls(FakeCall::kStep), 8) << "seven steps and one taken back";
  EXPECT_THAT(Read(FlowRef{"f", std::nullopt}), ElementsAre(7, 7, 17, 17));
}

TEST_F(FlowTest, MeasuringAtRestIsLeftOutWhereMemoryHasNoRoom) {
  EngineOptions options;
  // x: 16 bytes, y: 8; the flow 1024 + 32. The state's 32 bytes are left no room.
  options.memory_limit_bytes = 16 + 8 + 1024 + 32 + 31;
  StartWithFlow({}, options);
  const auto info = Advance("f", 7);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->phase, FlowPhase::kReady);
  EXPECT_EQ(info->measurement->step, 0) << "of the step that starts there";
}

TEST_F(FlowTest, AMeasurementStaysUntilThereIsAnother) {
  FakeBackendOptions fake;
  Gate gate;
  fake.on_chunk = [&](FakeCall kind, int64_t) {
    if (kind == FakeCall::kStep) gate.Pass();
  };
  StartWithFlow(fake);
  gate.Allow(8);  // seven steps, and the one that measures at rest
  ASSERT_TRUE(Advance("f", 7).ok());
  ASSERT_TRUE(engine->AdvanceFlow(context, "f", 9).ok());
  gate.Allow(1);
  gate.AwaitArrivals(10);  // step 8 is done, and is not one that measures
  const auto info = engine->GetFlow(context, "f");
  ASSERT_TRUE(info->measurement.has_value());
  EXPECT_EQ(info->measurement->step, 7);
  gate.Open();
  EXPECT_TRUE(AwaitRest("f").ok());
}

TEST_F(FlowTest, MeasurementsComeEverySoManySteps) {
  FakeBackendOptions fake;
  Gate gate;
  fake.on_chunk = [&](FakeCall kind, int64_t) {
    if (kind == FakeCall::kStep) gate.Pass();
  };
  StartWithFlow(fake);
  ASSERT_TRUE(engine->AdvanceFlow(context, "f", 100).ok());
  gate.Allow(12);
  gate.AwaitArrivals(13);
  EXPECT_EQ(engine->GetFlow(context, "f")->measurement->step, 10);
  gate.Open();
  EXPECT_EQ(AwaitRest("f")->measurement->step, 100);
}

TEST_F(FlowTest, TheLargerTargetWins) {
  FakeBackendOptions fake;
  Gate gate;
  fake.on_chunk = [&](FakeCall kind, int64_t) {
    if (kind == FakeCall::kStep) gate.Pass();
  };
  StartWithFlow(fake);
  ASSERT_TRUE(engine->AdvanceFlow(context, "f", 20).ok());
  gate.AwaitArrivals(1);
  EXPECT_EQ(engine->AdvanceFlow(context, "f", 5)->target_step, 20);
  EXPECT_EQ(engine->AdvanceFlow(context, "f", 30)->target_step, 30);
  gate.Open();
  EXPECT_EQ(AwaitRest("f")->step, 30);
}

TEST_F(FlowTest, CancelStopsWithinTheStepAndLosesNoCompletedOne) {
  FakeBackendOptions fake;
  fake.chunks_per_step = 5;
  Gate gate;
  fake.on_chunk = [&](FakeCall kind, int64_t) {
    if (kind == FakeCall::kStep) gate.Pass();
  };
  StartWithFlow(fake);
  ASSERT_TRUE(engine->AdvanceFlow(context, "f", 1000).ok());
  gate.Allow(12);          // two steps and two chunks of the third
  gate.AwaitArrivals(13);  // its third chunk has begun
  Await<FlowInfo> cancelled;
  engine->CancelFlow(context, "f", cancelled.callback());
  EXPECT_FALSE(cancelled.answered());
  gate.Open();
  const auto info = cancelled.Get();
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->phase, FlowPhase::kReady);
  EXPECT_EQ(info->step, 2);
  EXPECT_EQ(info->target_step, 2);
  EXPECT_EQ(backend->chunks(), 13) << "the chunk under way was the last";
  EXPECT_THAT(Read(FlowRef{"f", 2}), ElementsAre(2, 2, 12, 12));
  EXPECT_EQ(Advance("f", 4)->step, 4);
  EXPECT_THAT(Read(FlowRef{"f", 4}), ElementsAre(4, 4, 14, 14));
}

TEST_F(FlowTest, CancelOfARestingFlowAnswersAtOnce) {
  StartWithFlow();
  Await<FlowInfo> cancelled;
  engine->CancelFlow(context, "f", cancelled.callback());
  ASSERT_TRUE(cancelled.answered());
  EXPECT_EQ(cancelled.Get()->phase, FlowPhase::kReady);
}

TEST_F(FlowTest, AnAdvanceAfterACancelGoesOn) {
  FakeBackendOptions fake;
  Gate gate;
  fake.on_chunk = [&](FakeCall kind, int64_t) {
    if (kind == FakeCall::kStep) gate.Pass();
  };
  StartWithFlow(fake);
  ASSERT_TRUE(engine->AdvanceFlow(context, "f", 1000).ok());
  gate.AwaitArrivals(1);
  Await<FlowInfo> cancelled;
  engine->CancelFlow(context, "f", cancelled.callback());
  ASSERT_TRUE(engine->AdvanceFlow(context, "f", 9).ok());
  gate.Open();
  ASSERT_TRUE(cancelled.Get().ok());
  EXPECT_EQ(AwaitRest("f")->step, 9);
}

TEST_F(FlowTest, NonFiniteParticlesFailTheFlowAndKeepTheLastGoodStep) {
  StartWithFlow();
  backend->FailCall(FakeCall::kStep, 4, absl::DataLossError("particle 0 would not be finite"));
  const auto info = Advance("f", 10);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->phase, FlowPhase::kFailed);
  EXPECT_EQ(info->step, 4);
  EXPECT_THAT(info->error, HasSubstr("would not be finite"));
  EXPECT_THAT(Read(FlowRef{"f", 4}), ElementsAre(4, 4, 14, 14));
  const auto refused = engine->AdvanceFlow(context, "f", 20);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(refused.status()), ErrorReason::kWrongState);
  EXPECT_EQ(DetailOf(refused.status())->metadata.at("state"), "FAILED");
}

TEST_F(FlowTest, ResetTakesAFailedFlowBackToReady) {
  StartWithFlow();
  backend->FailCall(FakeCall::kStep, 4, absl::DataLossError("not finite"));
  ASSERT_EQ(Advance("f", 10)->phase, FlowPhase::kFailed);
  Await<FlowInfo> reset;
  engine->ResetFlow(context, "f", reset.callback());
  ASSERT_TRUE(reset.Get().ok()) << reset.Get().status();
  EXPECT_EQ(reset.Get()->phase, FlowPhase::kReady);
  EXPECT_EQ(reset.Get()->step, 4);
  EXPECT_EQ(reset.Get()->target_step, 4);
  EXPECT_EQ(reset.Get()->error, "");
  EXPECT_EQ(Advance("f", 6)->step, 6);
  Await<FlowInfo> again;
  engine->ResetFlow(context, "f", again.callback());
  EXPECT_EQ(ReasonOf(again.Get().status()), ErrorReason::kWrongState);
}

TEST_F(FlowTest, AForkGoesOnFromAFailedFlowsLastGoodStep) {
  StartWithFlow();
  backend->FailCall(FakeCall::kStep, 4, absl::DataLossError("not finite"));
  ASSERT_EQ(Advance("f", 10)->phase, FlowPhase::kFailed);
  Await<FlowInfo> forked;
  engine->ForkFlow(context, {.source_id = "f", .id = "g", .parameters = std::nullopt},
                   forked.callback());
  ASSERT_TRUE(forked.Get().ok()) << forked.Get().status();
  EXPECT_EQ(forked.Get()->phase, FlowPhase::kReady);
  EXPECT_EQ(forked.Get()->step, 4);
  EXPECT_EQ(forked.Get()->start, "flow f, step 4");
  EXPECT_EQ(forked.Get()->spec.directions.seed,
            engine->GetFlow(context, "f")->spec.directions.seed);
  EXPECT_EQ(Advance("g", 6)->step, 6);
  EXPECT_THAT(Read(FlowRef{"g", 6}), ElementsAre(6, 6, 16, 16));
  EXPECT_THAT(Read(FlowRef{"f", 4}), ElementsAre(4, 4, 14, 14));
}

TEST_F(FlowTest, ASnapshotOfARunningFlowShowsALastCompletedStepAndDisturbsNothing) {
  FakeBackendOptions fake;
  fake.chunks_per_step = 5;  // 20 ms each: a quantum of 50 ms ends within a step
  Gate gate;
  fake.on_chunk = [&](FakeCall kind, int64_t) {
    if (kind == FakeCall::kStep) gate.Pass();
  };
  StartWithFlow(fake);
  ASSERT_TRUE(engine->AdvanceFlow(context, "f", 4).ok());
  gate.Allow(6);
  gate.AwaitArrivals(7);  // within step 1
  Await<Engine::FlowSnapshot> snapshot;
  engine->SnapshotFlow(context, "f", {.id = "s"}, snapshot.callback());
  gate.Allow(3);  // to the end of the quantum
  ASSERT_TRUE(snapshot.Get().ok()) << snapshot.Get().status();
  EXPECT_EQ(snapshot.Get()->step, 1);
  EXPECT_EQ(snapshot.Get()->ensemble.source, "flow f, step 1");
  EXPECT_THAT(Read(EnsembleRef{"s"}), ElementsAre(1, 1, 11, 11));
  gate.Open();
  ASSERT_EQ(AwaitRest("f")->step, 4);
  EXPECT_EQ(backend->chunks(), 5 * (4 + 1)) << "no chunk was done twice";
}

TEST_F(FlowTest, AStepThatTheFlowIsNotAtIsRefused) {
  StartWithFlow();
  Await<ResolvedParticles> resolved;
  engine->Resolve(context, FlowRef{"f", 3}, resolved.callback());
  EXPECT_EQ(ReasonOf(resolved.Get().status()), ErrorReason::kWrongState);
}

TEST_F(FlowTest, DeletingARunningFlowFreesItAndEndsItsWatch) {
  FakeBackendOptions fake;
  Gate gate;
  fake.on_chunk = [&](FakeCall kind, int64_t) {
    if (kind == FakeCall::kStep) gate.Pass();
  };
  StartWithFlow(fake);
  const int64_t with_flow = UsedBytes();
  auto watch = engine->WatchFlow(context, "f", [] {});
  ASSERT_TRUE(engine->AdvanceFlow(context, "f", 1000).ok());
  gate.AwaitArrivals(1);
  Await<FlowInfo> cancelled;
  engine->CancelFlow(context, "f", cancelled.callback());
  Await<std::monostate> deleted;
  engine->DeleteFlow(context, "f", deleted.callback());
  EXPECT_EQ((*watch)->Latest().status().code(), absl::StatusCode::kNotFound);
  gate.Open();
  ASSERT_TRUE(deleted.Get().ok());
  EXPECT_EQ(cancelled.Get().status().code(), absl::StatusCode::kNotFound);
  EXPECT_LT(UsedBytes(), with_flow);
  EXPECT_EQ(engine->GetFlow(context, "f").status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(engine->DeleteEnsemble(context, "y").ok()) << "nobody uses the target any more";
}

TEST_F(FlowTest, TheTargetOfAFlowIsNotDeletedAndNamesItsUsers) {
  StartWithFlow();
  ASSERT_TRUE(NewFlow("g").ok());
  const absl::Status refused = engine->DeleteEnsemble(context, "y");
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(refused.message(), "ensemble 'y' is the target of flow 'f', flow 'g'");
  EXPECT_EQ(DetailOf(refused)->metadata.at("users"), "flow 'f', flow 'g'");
  EXPECT_TRUE(engine->DeleteEnsemble(context, "x").ok()) << "the start was copied";
}

TEST_F(FlowTest, AFullQueueRefusesAnAdvanceAndTheFlowStaysReady) {
  FakeBackendOptions fake;
  Gate gate;
  fake.on_chunk = [&](FakeCall, int64_t) { gate.Pass(); };
  EngineOptions options;
  options.max_queued_jobs = 1;
  StartWithFlow(fake, options);
  // A job leaves the queue a moment after it has answered, so the flow's creation may still be
  // there.
  Await<EnergyDistanceReply> distance;
  do {
    distance = {};
    engine->ComputeEnergyDistance(context, Distance(), distance.callback());
  } while (distance.answered());
  gate.AwaitArrivals(1);
  const auto refused = engine->AdvanceFlow(context, "f", 5);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(refused.status()), ErrorReason::kLimit);
  EXPECT_TRUE(DetailOf(refused.status())->metadata.contains("retry_after_ms"));
  EXPECT_EQ(engine->GetFlow(context, "f")->phase, FlowPhase::kReady);
  EXPECT_EQ(engine->GetFlow(context, "f")->target_step, 0);
  gate.Open();
  ASSERT_TRUE(distance.Get().ok());
  auto info = Advance("f", 5);
  while (absl::IsResourceExhausted(info.status())) info = Advance("f", 5);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->step, 5);
}

TEST_F(FlowTest, AWatcherThatNeverLooksIsToldOnceAndHoldsUpNothing) {
  StartWithFlow();
  std::atomic<int> told = 0;
  auto watch = engine->WatchFlow(context, "f", [&] { ++told; });
  ASSERT_EQ(Advance("f", 50)->step, 50);
  while (told == 0) std::this_thread::yield();
  ASSERT_EQ(Advance("f", 100)->step, 100);
  watch->reset();
  EXPECT_EQ(told, 1);
}

}  // namespace
}  // namespace riesz
