// Uploads: order, checksums, one writer, resuming, finiteness, expiry.
#include <cmath>
#include <thread>

#include "tests/engine/engine_fixture.h"

namespace riesz {
namespace {

using ::testing::ElementsAre;

class UploadTest : public EngineFixture {
 protected:
  void SetUp() override { Start(); }

  // Begins an upload of n x d floats; its id goes to `upload`.
  absl::Status Begin(UploadRequest request = {.traits = {.id = "a"}, .count = 2, .dim = 2}) {
    auto started = engine->StartUpload(context, request);
    if (started.ok()) upload = started->id;
    return started.status();
  }
  absl::Status Write(UploadWriter& writer, int64_t offset, std::span<const std::byte> bytes) {
    const std::span<const std::byte> pieces[] = {bytes};
    return writer.Write(offset, Crc32c(bytes), pieces);
  }
  static std::span<const std::byte> Bytes(const std::vector<float>& values) {
    return std::as_bytes(std::span(values));
  }

  std::string upload;
  const std::vector<float> values = {1, 2, 3, 4};
};

TEST_F(UploadTest, MemoryAndIdAreTakenAtTheStartAndGivenBackByAbort) {
  ASSERT_TRUE(Begin().ok());
  EXPECT_EQ(UsedBytes(), 16);
  EXPECT_EQ(Generate("a").status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(engine->GetEnsemble(context, "a").status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(engine->AbortUpload(context, upload).ok());
  EXPECT_EQ(UsedBytes(), 0);
  EXPECT_TRUE(Generate("a").ok());
}

TEST_F(UploadTest, BytesInPiecesAndChunksOfAnySizeArriveUnchanged) {
  UploadRequest request{.traits = {.id = "a"}, .count = 2, .dim = 2};
  request.has_weights = request.has_labels = true;
  ASSERT_TRUE(Begin(request).ok());
  std::vector<std::byte> content(Bytes(values).begin(), Bytes(values).end());
  const std::vector<float> weights = {0.25f, 0.75f};
  const std::vector<int32_t> labels = {7, -1};
  for (const auto section : {std::as_bytes(std::span(weights)), std::as_bytes(std::span(labels))}) {
    content.insert(content.end(), section.begin(), section.end());
  }
  {
    auto writer = engine->OpenUpload(context, upload);
    // 5 and 27: chunks cut floats and sections in two.
    const auto all = std::span<const std::byte>(content);
    const std::span<const std::byte> pieces[] = {all.first(2), all.subspan(2, 3)};
    ASSERT_TRUE((*writer)->Write(0, Crc32c(all.first(5)), pieces).ok());
    EXPECT_EQ((*writer)->info().committed_bytes, 5);
    EXPECT_EQ((*writer)->info().committed_crc32c, Crc32c(all.first(5)));
    ASSERT_TRUE(Write(**writer, 5, all.subspan(5, 27 - 5)).ok());
    ASSERT_TRUE(Write(**writer, 27, all.subspan(27)).ok());
  }
  const auto info = engine->FinishUpload(context, upload, Crc32c(content));
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->crc32c, Crc32c(content));
  EXPECT_EQ(info->size_bytes, 32);
  EXPECT_TRUE(info->has_weights);
  Await<ResolvedParticles> resolved;
  engine->Resolve(context, EnsembleRef{"a"}, resolved.callback());
  EXPECT_EQ(*resolved.Get()->weights, weights);
  EXPECT_EQ(*resolved.Get()->labels, labels);
  resolved.Forget();
  EXPECT_THAT(Read(EnsembleRef{"a"}), ElementsAre(1, 2, 3, 4));
}

TEST_F(UploadTest, AChunkOutOfOrderIsRefusedAndCommitsNothing) {
  ASSERT_TRUE(Begin().ok());
  auto writer = engine->OpenUpload(context, upload);
  const absl::Status refused = Write(**writer, 4, Bytes(values).first(4));
  EXPECT_EQ(refused.code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(ReasonOf(refused), ErrorReason::kUploadOffset);
  EXPECT_EQ(DetailOf(refused)->metadata.at("committed_bytes"), "0");
  EXPECT_TRUE(Write(**writer, 0, Bytes(values)).ok());
}

TEST_F(UploadTest, AWrongChecksumIsDataLossAndTheChunkCanBeSentAgain) {
  ASSERT_TRUE(Begin().ok());
  auto writer = engine->OpenUpload(context, upload);
  const std::span<const std::byte> pieces[] = {Bytes(values)};
  const absl::Status refused = (*writer)->Write(0, Crc32c(Bytes(values)) ^ 1, pieces);
  EXPECT_EQ(refused.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ReasonOf(refused), ErrorReason::kChecksum);
  EXPECT_EQ((*writer)->info().committed_bytes, 0);
  EXPECT_TRUE(Write(**writer, 0, Bytes(values)).ok());
}

TEST_F(UploadTest, MoreBytesThanAnnouncedAreRefused) {
  ASSERT_TRUE(Begin().ok());
  auto writer = engine->OpenUpload(context, upload);
  const std::vector<float> longer(5);
  EXPECT_EQ(Write(**writer, 0, Bytes(longer)).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(UploadTest, ASecondWriterIsRefusedUntilTheFirstIsGone) {
  ASSERT_TRUE(Begin().ok());
  auto first = engine->OpenUpload(context, upload);
  ASSERT_TRUE(first.ok());
  const auto second = engine->OpenUpload(context, upload);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(ReasonOf(second.status()), ErrorReason::kUploadBusy);
  ASSERT_TRUE(Write(**first, 0, Bytes(values).first(8)).ok());
  EXPECT_EQ(ReasonOf(engine->FinishUpload(context, upload, 0).status()), ErrorReason::kUploadBusy);
  first->reset();
  auto resumed = engine->OpenUpload(context, upload);
  ASSERT_TRUE(resumed.ok()) << resumed.status();
  EXPECT_EQ(engine->QueryUpload(context, upload)->committed_bytes, 8);
  ASSERT_TRUE(Write(**resumed, 8, Bytes(values).subspan(8)).ok());
  resumed->reset();
  EXPECT_TRUE(engine->FinishUpload(context, upload, Crc32c(Bytes(values))).ok());
  EXPECT_EQ(engine->QueryUpload(context, upload).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(UploadTest, FinishingTooEarlyOrWithAnotherChecksumLeavesTheUploadAsItWas) {
  ASSERT_TRUE(Begin().ok());
  EXPECT_EQ(ReasonOf(engine->FinishUpload(context, upload, 0).status()), ErrorReason::kWrongState);
  { ASSERT_TRUE(Write(**engine->OpenUpload(context, upload), 0, Bytes(values)).ok()); }
  const auto refused = engine->FinishUpload(context, upload, 1);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(engine->FinishUpload(context, upload, Crc32c(Bytes(values))).ok());
}

TEST_F(UploadTest, NaNIsRefusedWithItsPlaceUnlessAllowed) {
  const std::vector<float> bad = {1, 2, 3, std::nanf("")};
  ASSERT_TRUE(Begin().ok());
  {
    auto writer = engine->OpenUpload(context, upload);
    const absl::Status refused = Write(**writer, 0, Bytes(bad));
    EXPECT_EQ(refused.message(), "particle 1, coordinate 1 is not finite");
    EXPECT_EQ(ReasonOf(refused), ErrorReason::kNonFinite);
    EXPECT_TRUE(Write(**writer, 0, Bytes(values)).ok()) << "the refused chunk left no trace";
  }
  UploadRequest allowed{.traits = {.id = "b"}, .count = 2, .dim = 2};
  allowed.allow_non_finite = true;
  ASSERT_TRUE(Begin(allowed).ok());
  { ASSERT_TRUE(Write(**engine->OpenUpload(context, upload), 0, Bytes(bad)).ok()); }
  ASSERT_TRUE(engine->FinishUpload(context, upload, Crc32c(Bytes(bad)))->non_finite);
  EnergyDistanceRequest request;
  request.x = request.y = EnsembleRef{"b"};
  Await<EnergyDistanceReply> distance;
  engine->ComputeEnergyDistance(context, request, distance.callback());
  EXPECT_EQ(ReasonOf(distance.Get().status()), ErrorReason::kNonFinite);
}

TEST_F(UploadTest, AWeightThatIsNoneIsRefusedWithItsChunk) {
  UploadRequest request{.traits = {.id = "a"}, .count = 2, .dim = 1};
  request.has_weights = true;
  ASSERT_TRUE(Begin(request).ok());
  for (const float bad : {-0.5f, HUGE_VALF, std::nanf("")}) {
    auto writer = engine->OpenUpload(context, upload);
    const int64_t committed = (*writer)->info().committed_bytes;
    const std::vector<float> content = {5, 6, 0.5f, bad};
    // The bad weight's first two bytes come in the chunk before.
    if (committed == 0) {
      ASSERT_TRUE(Write(**writer, 0, Bytes(content).first(14)).ok());
    }
    const absl::Status refused = Write(**writer, 14, Bytes(content).subspan(14));
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_EQ(DetailOf(refused)->metadata.at("field"), "weights[1]");
    EXPECT_EQ((*writer)->info().committed_bytes, 14) << "the refused chunk left no trace";
  }
}

TEST_F(UploadTest, WeightsAndLabelsAreInTheLedgerUntilTheirLastReaderLeaves) {
  UploadRequest request{.traits = {.id = "a"}, .count = 2, .dim = 1};
  request.has_weights = request.has_labels = true;
  ASSERT_TRUE(Begin(request).ok());
  EXPECT_EQ(UsedBytes(), 24);
  const std::vector<float> content(6);
  { ASSERT_TRUE(Write(**engine->OpenUpload(context, upload), 0, Bytes(content)).ok()); }
  ASSERT_TRUE(engine->FinishUpload(context, upload, Crc32c(Bytes(content))).ok());
  EXPECT_EQ(UsedBytes(), 24);
  Await<ResolvedParticles> resolved;
  engine->Resolve(context, EnsembleRef{"a"}, resolved.callback());
  auto weights = resolved.Get()->weights;
  auto labels = resolved.Get()->labels;
  resolved.Forget();
  ASSERT_TRUE(engine->DeleteEnsemble(context, "a").ok());
  EXPECT_EQ(UsedBytes(), 16);
  weights = nullptr;
  EXPECT_EQ(UsedBytes(), 8);
  labels = nullptr;
  EXPECT_EQ(UsedBytes(), 0);
}

// Every call sweeps the uploads.
TEST_F(UploadTest, OtherCallsDoNotWaitWhileADeviceTakesOrSealsAnUpload) {
  Gate gate;
  FakeBackendOptions fake;
  fake.on_call = [&](FakeCall call) {
    if (call == FakeCall::kMap || call == FakeCall::kSeal) gate.Pass();
  };
  Start(fake);
  ASSERT_TRUE(Begin().ok());
  std::thread client([&] {
    { EXPECT_TRUE(Write(**engine->OpenUpload(context, upload), 0, Bytes(values)).ok()); }
    EXPECT_TRUE(engine->FinishUpload(context, upload, Crc32c(Bytes(values))).ok());
  });
  gate.AwaitArrivals(1);
  EXPECT_TRUE(engine->ListEnsembles(context, {}).ok()) << "while a chunk is written";
  gate.Allow(1);
  gate.AwaitArrivals(2);
  EXPECT_TRUE(engine->ListEnsembles(context, {}).ok()) << "while the upload is sealed";
  gate.Open();
  client.join();
  EXPECT_THAT(Read(EnsembleRef{"a"}), ElementsAre(1, 2, 3, 4));
}

TEST_F(UploadTest, AnIdleUploadExpiresAndBytesKeepItAlive) {
  ASSERT_TRUE(Begin().ok());
  auto writer = engine->OpenUpload(context, upload);
  clock.Advance(std::chrono::seconds(599));
  ASSERT_TRUE(Write(**writer, 0, Bytes(values).first(4)).ok());
  clock.Advance(std::chrono::seconds(599));
  ASSERT_TRUE(engine->QueryUpload(context, upload).ok());
  clock.Advance(std::chrono::seconds(1));
  EXPECT_EQ(engine->QueryUpload(context, upload).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Write(**writer, 4, Bytes(values).first(4)).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(UsedBytes(), 0);
  EXPECT_TRUE(Generate("a").ok()) << "the id is free again";
}

TEST_F(UploadTest, AnUploadLargerThanMemoryIsRefusedBeforeItsFirstByte) {
  const absl::Status refused = Begin({.traits = {.id = "a"}, .count = 1 << 20, .dim = 1 << 10});
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(refused), ErrorReason::kMemory);
  EXPECT_EQ(backend->calls(FakeCall::kNewEnsemble), 0);
  EXPECT_EQ(Begin({.traits = {.id = "a"}, .count = 0, .dim = 1}).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(UploadTest, AnotherTenantSeesNothing) {
  ASSERT_TRUE(Begin().ok());
  CallContext other;
  other.tenant = "other";
  EXPECT_EQ(engine->OpenUpload(other, upload).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(engine->AbortUpload(other, upload).code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace riesz
