// Computations: cancel, deadline and fairness inside long operations, counted in chunks.
#include "tests/engine/engine_fixture.h"

namespace riesz {
namespace {

class ComputationTest : public EngineFixture {
 protected:
  void StartWithOperands(FakeBackendOptions fake = {}, EngineOptions options = {}) {
    Start(std::move(fake), std::move(options));
    ASSERT_TRUE(Put("x", 1, {1, 2}).ok());
    ASSERT_TRUE(Put("y", 1, {4, 5}).ok());
  }
};

TEST_F(ComputationTest, AnAnswerEchoesAllThatWasChosen) {
  StartWithOperands();
  Await<EnergyDistanceReply> distance;
  engine->ComputeEnergyDistance(context, Distance(MethodChoice::kAuto), distance.callback());
  ASSERT_TRUE(distance.Get().ok()) << distance.Get().status();
  EXPECT_EQ(distance.Get()->value.energy_distance, 3);
  EXPECT_EQ(distance.Get()->spec.method, Method::kExact);
  EXPECT_EQ(distance.Get()->x.count, 2);
  EXPECT_EQ(distance.Get()->times.device, "fake");
  // Four chunks of 20 ms on the fake clock.
  EXPECT_DOUBLE_EQ(distance.Get()->times.compute_seconds, 0.08);
}

TEST_F(ComputationTest, AGradientIsReadAndKept) {
  StartWithOperands();
  GradientRequest request = Gradient();
  request.keep_as = EnsembleTraits{.id = "g"};
  Await<GradientReply> gradient;
  engine->ComputeGradient(context, request, gradient.callback());
  ASSERT_TRUE(gradient.Get().ok()) << gradient.Get().status();
  EXPECT_EQ(gradient.Get()->kept->source, "gradient");
  gradient.Forget();
  EXPECT_THAT(Read(EnsembleRef{"g"}), ::testing::ElementsAre(1, 1));
  EXPECT_EQ(UsedBytes(), 3 * 8) << "scratch is free, the result is not";
}

TEST_F(ComputationTest, ALostClientStopsAnExactGradientOf100kBy784AtTheNextChunk) {
  FakeBackendOptions fake;
  fake.keep_content = false;
  fake.memory_bytes = int64_t{1} << 32;
  fake.pairs_per_chunk = 25'000'000;  // of 2e10 pairs: 800 chunks
  std::stop_source client;
  fake.on_chunk = [&](FakeCall kind, int64_t chunk) {
    if (kind == FakeCall::kRunGradient && chunk == 12) client.request_stop();
  };
  Start(fake);
  // The fake keeps no content: nothing is generated but the rows' own time.
  UploadRequest shape{.traits = {.id = "x"}, .count = 100'000, .dim = 784};
  shape.allow_non_finite = true;
  auto upload = engine->StartUpload(context, shape);
  ASSERT_TRUE(upload.ok()) << upload.status();
  {
    auto writer = engine->OpenUpload(context, upload->id);
    const std::vector<std::byte> zeros(1 << 20);
    for (int64_t at = 0; at < upload->total_bytes;) {
      const auto size = std::min<int64_t>(upload->total_bytes - at, 1 << 20);
      const auto chunk = std::span<const std::byte>(zeros).first(static_cast<size_t>(size));
      const std::span<const std::byte> pieces[] = {chunk};
      ASSERT_TRUE((*writer)->Write(at, Crc32c(chunk), pieces).ok());
      at += size;
    }
  }
  const uint32_t crc = engine->QueryUpload(context, upload->id)->committed_crc32c;
  ASSERT_TRUE(engine->FinishUpload(context, upload->id, crc).ok());
  GradientRequest request = Gradient();
  request.y = EnsembleRef{"x"};
  CallContext leaving;
  leaving.stop = client.get_token();
  Await<GradientReply> gradient;
  engine->ComputeGradient(leaving, request, gradient.callback());
  const absl::Status stopped = gradient.Get().status();
  EXPECT_EQ(stopped.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(stopped.message(), "stopped after 13 of 800 chunks: the client went away");
  EXPECT_EQ(ReasonOf(stopped), ErrorReason::kCancelled);
  EXPECT_EQ(backend->chunks(), 13);
  EXPECT_EQ(UsedBytes(), 100'000 * 784 * 4) << "scratch is free again";
}

TEST_F(ComputationTest, ADeadlineStopsAtTheChunkThatPassesIt) {
  FakeBackendOptions fake;
  fake.chunks = 340;
  StartWithOperands(fake);
  CallContext hurried;
  hurried.deadline = clock.Now() + std::chrono::milliseconds(230);  // within the 12th chunk
  Await<EnergyDistanceReply> distance;
  engine->ComputeEnergyDistance(hurried, Distance(), distance.callback());
  const absl::Status stopped = distance.Get().status();
  EXPECT_EQ(stopped.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(stopped.message(), "stopped after 12 of 340 chunks at the client's deadline");
  EXPECT_EQ(backend->chunks(), 12);
}

TEST_F(ComputationTest, AWaitingJobWhoseClientLeftNeverBegins) {
  FakeBackendOptions fake;
  Gate gate;
  fake.on_chunk = [&](FakeCall, int64_t) { gate.Pass(); };
  StartWithOperands(fake);
  Await<EnergyDistanceReply> first, second;
  engine->ComputeEnergyDistance(context, Distance(), first.callback());
  gate.AwaitArrivals(1);
  std::stop_source client;
  CallContext leaving;
  leaving.stop = client.get_token();
  engine->ComputeEnergyDistance(leaving, Distance(), second.callback());
  client.request_stop();
  gate.Open();
  EXPECT_EQ(second.Get().status().message(), "stopped before it began: the client went away");
  ASSERT_TRUE(first.Get().ok());
  EXPECT_EQ(backend->calls(FakeCall::kNewEnergyDistance), 1);
}

TEST_F(ComputationTest, AnInteractiveCallWaitsForOneQuantumOfAFlow) {
  FakeBackendOptions fake;
  fake.chunks = 1;
  Gate gate;
  std::atomic<int> steps = 0, steps_before = -1;
  fake.on_chunk = [&](FakeCall kind, int64_t) {
    if (kind == FakeCall::kStep) {
      gate.Pass();
      ++steps;
    } else {
      steps_before = steps.load();
    }
  };
  StartWithOperands(fake);
  ASSERT_TRUE(NewFlow("f").ok());
  ASSERT_TRUE(engine->AdvanceFlow(context, "f", 1000).ok());
  gate.AwaitArrivals(1);
  Await<EnergyDistanceReply> distance;
  engine->ComputeEnergyDistance(context, Distance(), distance.callback());
  gate.Open();
  ASSERT_TRUE(distance.Get().ok());
  // A quantum of 50 ms holds three steps of 20 ms.
  EXPECT_EQ(steps_before, 3);
  EXPECT_EQ(AwaitRest("f")->step, 1000);
}

TEST_F(ComputationTest, WeightedOperandsAreRefused) {
  StartWithOperands();
  UploadRequest request{.traits = {.id = "w"}, .count = 1, .dim = 1};
  request.has_weights = true;
  auto upload = engine->StartUpload(context, request);
  const std::vector<float> content = {5, 1};
  const auto bytes = std::as_bytes(std::span(content));
  const std::span<const std::byte> pieces[] = {bytes};
  ASSERT_TRUE((*engine->OpenUpload(context, upload->id))->Write(0, Crc32c(bytes), pieces).ok());
  ASSERT_TRUE(engine->FinishUpload(context, upload->id, Crc32c(bytes)).ok());
  EnergyDistanceRequest weighted = Distance();
  weighted.x = EnsembleRef{"w"};
  Await<EnergyDistanceReply> distance;
  engine->ComputeEnergyDistance(context, weighted, distance.callback());
  EXPECT_EQ(distance.Get().status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(ReasonOf(distance.Get().status()), ErrorReason::kNotOffered);
}

TEST_F(ComputationTest, DeletingAnOperandMeanwhileChangesNothing) {
  FakeBackendOptions fake;
  Gate gate;
  fake.on_chunk = [&](FakeCall, int64_t) { gate.Pass(); };
  StartWithOperands(fake);
  Await<EnergyDistanceReply> distance;
  engine->ComputeEnergyDistance(context, Distance(), distance.callback());
  gate.AwaitArrivals(1);
  ASSERT_TRUE(engine->DeleteEnsemble(context, "x").ok());
  gate.Open();
  EXPECT_EQ(distance.Get()->value.energy_distance, 3);
  EXPECT_EQ(UsedBytes(), 8);
}

TEST_F(ComputationTest, ScratchThatDoesNotFitIsRefusedBeforeItIsAllocated) {
  EngineOptions options;
  options.memory_limit_bytes = 1000;  // the fake's scratch is 1024
  StartWithOperands({}, options);
  Await<EnergyDistanceReply> distance;
  engine->ComputeEnergyDistance(context, Distance(), distance.callback());
  EXPECT_EQ(ReasonOf(distance.Get().status()), ErrorReason::kMemory);
  EXPECT_EQ(backend->calls(FakeCall::kNewEnergyDistance), 0);
}

TEST_F(ComputationTest, ALostDeviceStaysLost) {
  StartWithOperands();
  backend->FailCall(FakeCall::kRunEnergyDistance, 0, DeviceLostError());
  for (int attempt = 0; attempt < 2; ++attempt) {
    Await<EnergyDistanceReply> distance;
    engine->ComputeEnergyDistance(context, Distance(), distance.callback());
    EXPECT_EQ(distance.Get().status().code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(ReasonOf(distance.Get().status()), ErrorReason::kDeviceLost);
  }
  EXPECT_TRUE(engine->Devices()[0].lost);
  EXPECT_TRUE(engine->GetEnsemble(context, "x").ok()) << "what needs no computing still answers";
}

}  // namespace
}  // namespace riesz
