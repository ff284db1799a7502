// A backend that fails at each call in turn never loses the engine: every callback is called
// exactly once (Await aborts at a second), memory comes back, and the engine works afterwards. One
// that is lost is told of once, and what needs it is refused.
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
      EXPECT_EQ(reset.Get().ok(), !engine->Devices()[0].lost) << reset.Get().status();
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

TEST_F(FailureTest, ALossAtAnyCallIsToldOnceAndMemoryStillComesBack) {
  int64_t calls = 0;
  for (int64_t k = -1; k < calls; ++k) {  // -1: none
    SCOPED_TRACE("call " + std::to_string(k));
    std::vector<std::pair<std::string, int64_t>> losses;
    EngineOptions options;
    options.on_device_lost = [&](const std::string& device, const absl::Status& error,
                                 int64_t devices_left) {
      EXPECT_EQ(error, DeviceLostError());
      losses.emplace_back(device, devices_left);
    };
    Start({}, options);
    if (k >= 0) backend->FailCall(k, DeviceLostError());
    EXPECT_EQ(Scenario(), k < 0);
    if (k < 0) calls = backend->calls();
    DeleteEverything();
    EXPECT_EQ(UsedBytes(), 0);
    using Losses = std::vector<std::pair<std::string, int64_t>>;
    EXPECT_EQ(losses, k < 0 ? Losses() : Losses({{"fake", 0}}));
    EXPECT_EQ(engine->Devices()[0].lost, k >= 0);
  }
}

TEST_F(FailureTest, WhatNeedsALostDeviceIsUnavailableAndTheRestGoesOn) {
  Start();
  ASSERT_TRUE(Put("x", 1, {1, 2}).ok());
  ASSERT_TRUE(Put("y", 1, {4, 5}).ok());
  ASSERT_TRUE(NewFlow("f").ok());
  UploadRequest request{.traits = {.id = "u"}, .count = 1, .dim = 1};
  const auto upload = engine->StartUpload(context, request);
  ASSERT_TRUE(upload.ok());
  auto writer = engine->OpenUpload(context, upload->id);
  Await<EnergyDistanceReply> losing;
  backend->FailCall(FakeCall::kRunEnergyDistance, 0, DeviceLostError());
  engine->ComputeEnergyDistance(context, Distance(), losing.callback());
  EXPECT_EQ(losing.Get().status(), DeviceLostError());

  const auto expect_lost = [](const absl::Status& status) {
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    EXPECT_EQ(ReasonOf(status), ErrorReason::kDeviceLost) << status;
  };
  const int64_t calls = backend->calls();
  const std::vector<float> one = {1};
  const std::span<const std::byte> pieces[] = {std::as_bytes(std::span(one))};
  expect_lost((*writer)->Write(0, Crc32c(pieces[0]), pieces));
  writer->reset();
  expect_lost(engine->OpenUpload(context, upload->id).status());
  expect_lost(engine->FinishUpload(context, upload->id, 0).status());
  request.traits.id = "v";
  expect_lost(engine->StartUpload(context, request).status());
  expect_lost(Generate("z").status());
  Await<GradientReply> gradient;
  engine->ComputeGradient(context, Gradient(), gradient.callback());
  expect_lost(gradient.Get().status());
  expect_lost(NewFlow("g").status());
  expect_lost(engine->AdvanceFlow(context, "f", 5).status());
  Await<Engine::FlowSnapshot> snapshot;
  engine->SnapshotFlow(context, "f", {.id = "s"}, snapshot.callback());
  expect_lost(snapshot.Get().status());
  Await<ResolvedParticles> resolved;
  engine->Resolve(context, EnsembleRef{"x"}, resolved.callback());
  expect_lost(resolved.Get().status());
  EXPECT_EQ(backend->calls(), calls) << "a lost device is left alone";

  EXPECT_TRUE(engine->GetFlow(context, "f").ok());
  EXPECT_TRUE(engine->QueryUpload(context, upload->id).ok());
  EXPECT_TRUE(engine->AbortUpload(context, upload->id).ok());
  DeleteEverything();
  EXPECT_EQ(UsedBytes(), 0);
}

TEST_F(FailureTest, WorkThatWaitsForADeviceHearsOfItsLoss) {
  FakeBackendOptions fake;
  Gate gate;
  fake.on_call = [&](FakeCall call) {
    if (call == FakeCall::kRunEnergyDistance) gate.Pass();
  };
  Start(fake);
  ASSERT_TRUE(Put("x", 1, {1, 2}).ok());
  ASSERT_TRUE(Put("y", 1, {4, 5}).ok());
  ASSERT_TRUE(NewFlow("f").ok());
  backend->FailCall(FakeCall::kRunEnergyDistance, 0, DeviceLostError());
  Await<EnergyDistanceReply> losing;
  engine->ComputeEnergyDistance(context, Distance(), losing.callback());
  gate.AwaitArrivals(1);
  Await<GradientReply> gradient;
  engine->ComputeGradient(context, Gradient(), gradient.callback());
  ASSERT_TRUE(engine->AdvanceFlow(context, "f", 5).ok());
  Await<Engine::FlowSnapshot> snapshot;
  engine->SnapshotFlow(context, "f", {.id = "s"}, snapshot.callback());
  gate.Open();
  EXPECT_EQ(ReasonOf(losing.Get().status()), ErrorReason::kDeviceLost);
  EXPECT_EQ(ReasonOf(gradient.Get().status()), ErrorReason::kDeviceLost);
  EXPECT_EQ(ReasonOf(snapshot.Get().status()), ErrorReason::kDeviceLost);
  const auto flow = AwaitRest("f");
  EXPECT_EQ(flow->phase, FlowPhase::kFailed);
  EXPECT_EQ(flow->error, "device fake was lost");
  EXPECT_EQ(backend->calls(FakeCall::kStep) + backend->calls(FakeCall::kRunGradient), 0);
}

}  // namespace
}  // namespace riesz
