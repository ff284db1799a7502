#include "server/chunk_frame.h"

#include <gmock/gmock.h>
#include <google/protobuf/stubs/logging.h>

#include <random>

#include "core/crc32c.h"
#include "riesz/v1/discrepancy_service.pb.h"
#include "riesz/v1/ensemble_service.pb.h"
#include "server/convert.h"

namespace riesz {
namespace {

using ::testing::HasSubstr;

// The bytes as slices of `piece` bytes each.
grpc::ByteBuffer Cut(const std::string& bytes, size_t piece) {
  std::vector<grpc::Slice> slices;
  for (size_t begin = 0; begin < bytes.size(); begin += piece) {
    slices.emplace_back(bytes.substr(begin, piece));
  }
  return grpc::ByteBuffer(slices.data(), slices.size());
}

std::string Join(const UploadFrame& frame) {
  std::string joined;
  for (const auto piece : frame.data) {
    joined.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  }
  return joined;
}

v1::UploadChunksRequest Message(size_t data_bytes) {
  v1::UploadChunksRequest message;
  message.set_upload_id("u-17");
  message.set_offset(int64_t{5} << 32);
  message.set_crc32c(0xdeadbeef);
  std::string data(data_bytes, '\0');
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>(i * 31);
  message.set_data(data);
  return message;
}

void ExpectSame(const UploadFrame& frame, const v1::UploadChunksRequest& message) {
  EXPECT_EQ(frame.upload_id, message.upload_id());
  EXPECT_EQ(frame.offset, message.offset());
  EXPECT_EQ(frame.crc32c, message.crc32c());
  EXPECT_EQ(frame.data_bytes, static_cast<int64_t>(message.data().size()));
  EXPECT_EQ(Join(frame), message.data());
}

TEST(ChunkFrameTest, ReadsWhatProtobufWritesHoweverItIsCut) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{127}, size_t{300}}) {
    const v1::UploadChunksRequest message = Message(size);
    for (const size_t piece : {1, 2, 3, 7, 64, 100'000}) {
      const auto frame = ParseUploadFrame(Cut(message.SerializeAsString(), piece));
      ASSERT_TRUE(frame.ok()) << frame.status();
      ExpectSame(*frame, message);
    }
  }
}

TEST(ChunkFrameTest, AWholeChunkIsReadWithoutACopy) {
  const v1::UploadChunksRequest message = Message(kMaxChunkBytes);
  const auto frame = ParseUploadFrame(Cut(message.SerializeAsString(), 65'536));
  ASSERT_TRUE(frame.ok()) << frame.status();
  ExpectSame(*frame, message);
  for (const auto piece : frame->data) {
    bool inside = false;
    for (const grpc::Slice& slice : frame->slices) {
      const auto* begin = reinterpret_cast<const std::byte*>(slice.begin());
      inside |= piece.data() >= begin && piece.data() + piece.size() <= begin + slice.size();
    }
    EXPECT_TRUE(inside);
  }
}

TEST(ChunkFrameTest, FieldsMayComeInAnyOrderAndTheLastWins) {
  v1::UploadChunksRequest first = Message(10), second;
  second.set_data("other");
  second.set_upload_id("v");
  const std::string bytes = second.SerializeAsString() + first.SerializeAsString();
  v1::UploadChunksRequest expected;
  ASSERT_TRUE(expected.ParseFromString(bytes));
  const auto frame = ParseUploadFrame(Cut(bytes, 4));
  ASSERT_TRUE(frame.ok());
  ExpectSame(*frame, expected);
}

TEST(ChunkFrameTest, UnknownFieldsArePassedOver) {
  // Field 9 as varint, field 10 as 64 bits, field 11 as bytes, field 12 as 32 bits.
  const std::string unknown(
      "\x48\x7f\x51"
      "12345678"
      "\x5a\x03"
      "abc"
      "\x65"
      "1234",
      21);
  const v1::UploadChunksRequest message = Message(20);
  const auto frame = ParseUploadFrame(Cut(unknown + message.SerializeAsString() + unknown, 5));
  ASSERT_TRUE(frame.ok()) << frame.status();
  ExpectSame(*frame, message);
}

TEST(ChunkFrameTest, BytesThatAreNoMessageAreRefused) {
  const std::string bad[] = {
      std::string("\x22\x05"
                  "abc",
                  5),  // data says 5 bytes, 3 follow
      std::string("\x22\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11),      // length 2^64 - 1
      std::string("\x1d\x01\x02", 3),                                       // fixed32 of 2 bytes
      std::string("\x10", 1),                                               // varint missing
      std::string(12, '\xff'),                                              // a tag without an end
      std::string("\x00", 1),                                               // field 0
      std::string("\x0b\x0c", 2),                                           // a group
      std::string("\x0e", 1),                                               // wire type 6
      std::string("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12),  // 11-byte varint
  };
  for (const std::string& bytes : bad) {
    const auto frame = ParseUploadFrame(Cut(bytes, 2));
    EXPECT_TRUE(absl::IsInvalidArgument(frame.status())) << testing::PrintToString(bytes);
  }
}

TEST(ChunkFrameTest, BoundsAreNamed) {
  EXPECT_THAT(
      std::string(ParseUploadFrame(Cut(Message(kMaxChunkBytes + 1).SerializeAsString(), 4096))
                      .status()
                      .message()),
      HasSubstr("data must be at most 1048576 bytes, got 1048577"));
  v1::UploadChunksRequest message;
  message.set_upload_id(std::string(129, 'u'));
  EXPECT_THAT(
      std::string(ParseUploadFrame(Cut(message.SerializeAsString(), 4096)).status().message()),
      HasSubstr("upload_id must be at most 128 bytes, got 129"));
}

TEST(ChunkFrameTest, AnEmptyMessageHasDefaults) {
  const auto frame = ParseUploadFrame(grpc::ByteBuffer());
  // A buffer that was never filled holds nothing at all, not even an empty message.
  EXPECT_FALSE(frame.ok());
  const grpc::Slice nothing("");
  const auto empty = ParseUploadFrame(grpc::ByteBuffer(&nothing, 1));
  ASSERT_TRUE(empty.ok()) << empty.status();
  ExpectSame(*empty, v1::UploadChunksRequest());
}

// Random bytes, and messages with random bytes changed: never a crash, and where both accept the
// message, both read the same.
TEST(ChunkFrameTest, ArbitraryBytesAreReadAsProtobufReadsThem) {
  const google::protobuf::LogSilencer quiet;  // of protobuf's complaints about UTF-8
  std::mt19937 random(20261123);
  int accepted = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes;
    if (round % 2 == 0) {
      bytes = Message(random() % 40).SerializeAsString();
      for (unsigned changes = random() % 4; changes > 0; --changes) {
        bytes[random() % bytes.size()] = static_cast<char>(random());
      }
    } else {
      bytes.resize(random() % 24);
      for (char& byte : bytes) byte = static_cast<char>(random());
    }
    const auto frame = ParseUploadFrame(Cut(bytes, 1 + random() % 9));
    v1::UploadChunksRequest message;
    // Protobuf also refuses ids that are not UTF-8 and accepts groups; neither matters to us.
    if (!frame.ok() || !message.ParseFromString(bytes)) continue;
    ++accepted;
    ExpectSame(*frame, message);
  }
  EXPECT_GT(accepted, 1000);
}

TEST(ChunkFrameTest, ProtobufReadsTheChunksThatWeWrite) {
  const std::string data = Message(100'000).data();
  auto owner = std::make_shared<std::string>(data);
  const std::weak_ptr<std::string> watched = owner;
  const auto bytes = std::as_bytes(std::span<const char>(*owner));
  for (const int64_t offset : {int64_t{0}, int64_t{300}, int64_t{1} << 42}) {
    const grpc::ByteBuffer buffer = MakeChunkMessage(offset, Crc32c(bytes), {owner, bytes});
    grpc::Slice whole;
    ASSERT_TRUE(buffer.DumpToSingleSlice(&whole).ok());
    v1::DownloadEnsembleResponse download;
    ASSERT_TRUE(download.ParseFromArray(whole.begin(), static_cast<int>(whole.size())));
    EXPECT_EQ(download.offset(), offset);
    EXPECT_EQ(download.crc32c(), Crc32c(bytes));
    EXPECT_EQ(download.data(), data);
    v1::ComputeGradientResponse gradient;
    ASSERT_TRUE(gradient.ParseFromArray(whole.begin(), static_cast<int>(whole.size())));
    EXPECT_EQ(gradient.offset(), offset);
    EXPECT_EQ(gradient.data(), data);
  }
  owner.reset();
  EXPECT_TRUE(watched.expired()) << "a sent message must let its bytes go";
}

TEST(ChunkFrameTest, AMessageKeepsItsBytesAlive) {
  auto owner = std::make_shared<std::string>(5000, 'x');
  const std::weak_ptr<std::string> watched = owner;
  grpc::ByteBuffer buffer =
      MakeChunkMessage(0, 0, {owner, std::as_bytes(std::span<const char>(*owner))});
  owner.reset();
  EXPECT_FALSE(watched.expired());
  buffer.Clear();
  EXPECT_TRUE(watched.expired());
}

}  // namespace
}  // namespace riesz
