// A backend that fails at each call in turn never loses the engine: every callback is called
// exactly once (Await aborts at a second), memory comes back, and the engine works afterwards.
#include "tests/engine/engine_fixture.h"

namespace riesz {
namespace {

class FailureTest : public EngineFixture {
 protected:
  // Something of everything. Answers whether all of it went well; every call is waited for.
  bool Scenario() {
    bool ok = Put("x", 1, {1, 2}).ok();
    ok = Put("y", 1, {4, 5}).ok() && ok;
    ok = Generate("z", 2, 1).ok() && ok;
    Await<EnergyDistanceReply> distance;
    engine->ComputeEnergyDistance(context, Distance(), distance.callback());
    ok = distance.Get().ok() && ok;
    GradientRequest request = Gradient();
    request.keep_as = EnsembleTraits{.id = "g"};
    Await<GradientReply> gradient;
    engine->ComputeGradient(context, request, gradient.callback());
    ok = gradient.Get().ok() && ok;
    gradient.Forget();
    ok = NewFlow("f").ok() && ok;
    const auto advanced = Advance("f", 3);
    ok = advanced.ok() && advanced->phase == FlowPhase::kReady && ok;
    if (advanced.ok() && advanced->phase == FlowPhase::kFailed) {
      Await<FlowInfo> reset;
      engine->ResetFlow(context, "f", reset.callback());
      EXPECT_TRUE(reset.Get().ok()) << reset.Get().status();
    }
    Await<FlowInfo> forked;
    engine->ForkFlow(context, {.source_id = "f", .id = "h", .parameters = std::nullopt},
                     forked.callback());
    ok = forked.Get().ok() && ok;
    Await<Engine::FlowSnapshot> snapshot;
    engine->SnapshotFlow(context, "f", {.id = "s"}, snapshot.callback());
    ok = snapshot.Get().ok() && ok;
    ok = !Read(FlowRef{"f", std::nullopt}).empty() && ok;
    return ok;
  }
  void DeleteEverything() {
    const auto flows = engine->ListFlows(context, {});
    for (const FlowInfo& flow : flows->items) {
      Await<std::monostate> deleted;
      engine->DeleteFlow(context, flow.id, deleted.callback());
      EXPECT_TRUE(deleted.Get().ok());
    }
    const auto ensembles = engine->ListEnsembles(context, {});
    for (const EnsembleInfo& ensemble : ensembles->items) {
      EXPECT_TRUE(engine->DeleteEnsemble(context, ensemble.traits.id).ok());
    }
    // Uploads that did not end well are dropped at their time.
    clock.Advance(std::chrono::seconds(600));
    EXPECT_TRUE(engine->ListEnsembles(context, {}).ok());
  }
};

TEST_F(FailureTest, AFailureOfAnyCallIsAnsweredAndLeavesNothingBehind) {
  Start();
  ASSERT_TRUE(Scenario());
  const int64_t calls = backend->calls();
  DeleteEverything();
  ASSERT_EQ(UsedBytes(), 0);
  for (int64_t k = 0; k < calls; ++k) {
    SCOPED_TRACE("call " + std::to_string(k));
    backend->FailCall(k, absl::InternalError("the device hiccuped"));
    Scenario();
    DeleteEverything();
    ASSERT_EQ(UsedBytes(), 0);
  }
  EXPECT_TRUE(Scenario()) << "the engine works as on the first day";
}

TEST_F(FailureTest, EveryKindOfCallWasReached) {
  Start();
  ASSERT_TRUE(Scenario());
  for (int kind = 0; kind < kFakeCallCount; ++kind) {
    EXPECT_GT(backend->calls(static_cast<FakeCall>(kind)), 0) << kind;
  }
}

}  // namespace
}  // namespace riesz
