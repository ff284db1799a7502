// The client against a server in this process that fails as servers and networks do.
#include "client/client.h"

#include <gmock/gmock.h>
#include <google/protobuf/unknown_field_set.h>

#include <cstring>
#include <thread>

#include "core/error.h"
#include "tests/client/fake_service.h"

namespace riesz {
namespace {

using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

class ClientTest : public testing::Test {
 protected:
  ClientTest() : channel_(*Connect({.address = server_.address})), client_(channel_) {}

  // rows x 3 different floats.
  static Matrix Particles(int64_t rows) {
    Matrix out(rows, 3);
    for (int64_t i = 0; i < out.size(); ++i) out.data()[i] = static_cast<float>(i) * 0.5f;
    return out;
  }
  static std::string Bytes(const void* data, size_t bytes) {
    return {static_cast<const char*>(data), bytes};
  }
  absl::StatusOr<v1::Ensemble> Upload(const UploadContent& content) {
    v1::StartUploadRequest about;
    about.set_id("x");
    return client_.Upload(about, content);
  }
  // The server holds rows x 3 floats and sends them in chunks of `chunk_bytes`.
  Matrix Serve(int64_t rows, int64_t chunk_bytes) {
    Matrix particles = Particles(rows);
    server_.state()->content = Bytes(particles.data(), particles.bytes());
    server_.state()->dimension = 3;
    server_.state()->chunk_bytes = chunk_bytes;
    return particles;
  }
  static v1::Particles EnsembleX() {
    v1::Particles source;
    source.set_ensemble("x");
    return source;
  }

  FakeServer server_;
  std::shared_ptr<grpc::Channel> channel_;
  Client client_;
};

TEST_F(ClientTest, UploadSendsParticlesThenWeightsThenLabelsInChunks) {
  const Matrix particles = Particles(100000);
  const std::vector<float> weights(100000, 1e-5f);
  std::vector<int32_t> labels(100000);
  for (size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int32_t>(i % 10);
  const auto ensemble =
      Upload({.particles = particles.view(), .weights = weights, .labels = labels});
  ASSERT_TRUE(ensemble.ok()) << ensemble.status();
  const auto seen = server_.state();
  const std::string whole = Bytes(particles.data(), particles.bytes()) +
                            Bytes(weights.data(), weights.size() * 4) +
                            Bytes(labels.data(), labels.size() * 4);
  EXPECT_TRUE(seen->received == whole);  // not EXPECT_EQ, which would print two megabytes
  EXPECT_EQ(seen->finish_crc32c, ChecksumOf(whole));
  EXPECT_EQ(seen->longest_chunk, size_t{1} << 20);
  EXPECT_TRUE(seen->started.has_weights() && seen->started.has_labels());
  EXPECT_EQ(seen->started.count(), 100000);
  EXPECT_EQ(seen->started.dimension(), 3);
  EXPECT_EQ(seen->aborts, 0);
}

TEST_F(ClientTest, UploadGoesOnWhereABrokenStreamStopped) {
  server_.state()->chunk_bytes = 1000;
  server_.state()->breaks = 3;
  server_.state()->chunks_per_stream = 2;
  const Matrix particles = Particles(1000);  // 12 chunks of 1000 bytes
  const auto ensemble = Upload({.particles = particles.view()});
  ASSERT_TRUE(ensemble.ok()) << ensemble.status();
  EXPECT_THAT(server_.state()->stream_offsets, ElementsAre(0, 2000, 4000, 6000));
  EXPECT_TRUE(server_.state()->received == Bytes(particles.data(), particles.bytes()));
  EXPECT_EQ(server_.state()->finish_crc32c, ChecksumOf(server_.state()->received));
}

TEST_F(ClientTest, UploadGivesUpAfterFiveBreaksWithoutProgressAndDropsIt) {
  server_.state()->breaks = 1000;
  const auto ensemble = Upload({.particles = Particles(10).view()});
  EXPECT_EQ(ensemble.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(server_.state()->stream_offsets, SizeIs(6));
  EXPECT_EQ(server_.state()->aborts, 1);
}

TEST_F(ClientTest, UploadWhoseCommittedBytesAreOthersIsDataLoss) {
  server_.state()->chunk_bytes = 1000;
  server_.state()->breaks = 1;
  server_.state()->chunks_per_stream = 2;
  server_.state()->lie_about_committed = true;
  const auto ensemble = Upload({.particles = Particles(1000).view()});
  EXPECT_EQ(ensemble.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(server_.state()->aborts, 1);
}

TEST_F(ClientTest, UploadRefusesLabelsOfAnotherLength) {
  const std::vector<int32_t> labels(3);
  const auto ensemble = Upload({.particles = Particles(10).view(), .labels = labels});
  EXPECT_EQ(ensemble.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ClientTest, RetriesKeepTheirRequestIdAndOthersGetTheirOwn) {
  const grpc::Status unavailable(grpc::StatusCode::UNAVAILABLE, "draining");
  server_.state()->finishes = {unavailable, unavailable};
  ASSERT_TRUE(Upload({.particles = Particles(10).view()}).ok());
  ASSERT_THAT(server_.state()->request_ids, SizeIs(3));
  EXPECT_THAT(server_.state()->request_ids, Each(server_.state()->request_ids[0]));
  EXPECT_THAT(server_.state()->request_ids[0], SizeIs(32));
  EXPECT_NE(server_.state()->started.request_id(), server_.state()->request_ids[0]);
}

TEST_F(ClientTest, RefusalsAreNotRetriedAndKeepReasonAndMetadata) {
  google::protobuf::UnknownFieldSet entry, info, any, status;
  const auto bytes = [](const google::protobuf::UnknownFieldSet& message) {
    std::string out;
    message.SerializeToString(&out);
    return out;
  };
  entry.AddLengthDelimited(1, "field");
  entry.AddLengthDelimited(2, "crc32c");
  info.AddLengthDelimited(1, "CHECKSUM");
  info.AddLengthDelimited(2, "riesz.v1");
  info.AddLengthDelimited(3, bytes(entry));
  any.AddLengthDelimited(1, "type.googleapis.com/google.rpc.ErrorInfo");
  any.AddLengthDelimited(2, bytes(info));
  status.AddVarint(1, 15);
  status.AddLengthDelimited(3, bytes(any));
  server_.state()->finishes = {{grpc::StatusCode::DATA_LOSS, "the whole differs", bytes(status)}};
  const auto ensemble = Upload({.particles = Particles(10).view()});
  EXPECT_EQ(ensemble.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ensemble.status().message(), "the whole differs");
  const auto detail = DetailOf(ensemble.status());
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason, ErrorReason::kChecksum);
  EXPECT_EQ(detail->metadata.at("field"), "crc32c");
  EXPECT_THAT(server_.state()->request_ids, SizeIs(1));
  EXPECT_EQ(server_.state()->aborts, 1);
}

TEST_F(ClientTest, DetailsThatAreNotOursArePassedOver) {
  server_.state()->finishes = {{grpc::StatusCode::DATA_LOSS, "text", "\xff\xff not protobuf"}};
  const auto ensemble = Upload({.particles = Particles(10).view()});
  EXPECT_EQ(ensemble.status().message(), "text");
  EXPECT_FALSE(DetailOf(ensemble.status()).has_value());
}

TEST_F(ClientTest, DownloadArrivesBitForBit) {
  const Matrix sent = Serve(100000, 1 << 20);
  int64_t last = 0;
  const auto download =
      client_.DownloadParticles(EnsembleX(), 0, 0, [&](int64_t done, int64_t total) {
        EXPECT_GT(done, last);
        EXPECT_EQ(total, static_cast<int64_t>(sent.bytes()));
        last = done;
      });
  ASSERT_TRUE(download.ok()) << download.status();
  ASSERT_EQ(download->particles.size(), sent.size());
  EXPECT_EQ(std::memcmp(download->particles.data(), sent.data(), sent.bytes()), 0);
  EXPECT_EQ(last, static_cast<int64_t>(sent.bytes()));
}

TEST_F(ClientTest, DownloadGoesOnAtTheLastWholeRow) {
  const Matrix sent = Serve(1000, 1000);  // rows of 12 bytes: 83 whole ones in a chunk
  server_.state()->breaks = 2;
  server_.state()->chunks_per_stream = 1;
  const auto download = client_.DownloadParticles(EnsembleX());
  ASSERT_TRUE(download.ok()) << download.status();
  EXPECT_EQ(std::memcmp(download->particles.data(), sent.data(), sent.bytes()), 0);
  EXPECT_THAT(server_.state()->first_rows, ElementsAre(0, 83, 166));
}

TEST_F(ClientTest, AResumedDownloadOfAFlowStaysAtItsStep) {
  Serve(1000, 1000);
  server_.state()->breaks = 1;
  server_.state()->chunks_per_stream = 1;
  v1::Particles source;
  source.mutable_flow()->set_flow("f");
  ASSERT_TRUE(client_.DownloadParticles(source).ok());
  ASSERT_EQ(server_.state()->sources.size(), 2u);
  EXPECT_FALSE(server_.state()->sources[0].flow().has_step());
  EXPECT_EQ(server_.state()->sources[1].flow().step(), 12);
}

TEST_F(ClientTest, CorruptChunksAreDataLossAndNotResumed) {
  Serve(1000, 1000);
  server_.state()->corrupt_chunks = true;
  const auto download = client_.DownloadParticles(EnsembleX());
  EXPECT_EQ(download.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(download.status().message()), HasSubstr("chunk at offset 0: CRC32C is"));
  EXPECT_THAT(server_.state()->first_rows, SizeIs(1));
}

TEST_F(ClientTest, SizesThatCannotBeTrueAreRefusedBeforeMemoryIsTaken) {
  Serve(1000, 1000);
  for (const int64_t wrong : {int64_t{1} << 60, int64_t{-4}, int64_t{11999}}) {
    server_.state()->wrong_total_bytes = wrong;
    const auto download = client_.DownloadParticles(EnsembleX());
    EXPECT_EQ(download.status().code(), absl::StatusCode::kDataLoss) << wrong;
  }
}

TEST_F(ClientTest, MoreBytesThanAnnouncedAreRefused) {
  Serve(1000, 1000);
  server_.state()->wrong_total_bytes = 600;  // 50 rows: less than the first chunk
  const auto download = client_.DownloadParticles(EnsembleX());
  EXPECT_EQ(download.status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(ClientTest, WatchingEndsWhenItsReaderHasSeenEnough) {
  v1::WatchFlowRequest request;
  request.set_id("f");
  int seen = 0;
  EXPECT_TRUE(client_.WatchFlow(request, [&](const v1::Flow&) { return ++seen < 5; }).ok());
  EXPECT_EQ(seen, 5);
}

TEST_F(ClientTest, CancelEndsACallUnderWayAndAllLaterOnes) {
  v1::WatchFlowRequest request;
  request.set_id("f");
  std::thread canceller;
  const absl::Status status = client_.WatchFlow(request, [&](const v1::Flow&) {
    if (!canceller.joinable()) canceller = std::thread([&] { client_.Cancel(); });
    return true;
  });
  canceller.join();
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(client_.DownloadParticles(EnsembleX()).status().code(), absl::StatusCode::kCancelled);
}

TEST_F(ClientTest, AServerThatIsNotThereIsNamedWithTheReason) {
  // Port 1 of loopback: nothing listens there, so that the connection is refused at once.
  const auto channel = Connect({.address = "127.0.0.1:1"});
  EXPECT_EQ(channel.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(channel.status().message()),
              AllOf(HasSubstr("cannot reach 127.0.0.1:1: "), HasSubstr("refused")));
}

TEST_F(ClientTest, CallsTheServerDoesNotOfferAreUnimplemented) {
  EXPECT_EQ(client_.GetServerInfo().status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(client_.CheckHealth("").status().code(), absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace riesz
