#include <gmock/gmock.h>

#include <random>

#include "core/dataset/dataset.h"
#include "tests/dataset/test_files.h"

namespace riesz {
namespace {

using testing::HasSubstr;

using IdxTest = FileTest;

constexpr uint8_t kUbyte = 0x08;

TEST_F(IdxTest, PixelsAreScaledToTheUnitInterval) {
  const std::string path = Write("two-images-idx3-ubyte",
                                 IdxHeader(kUbyte, {2, 1, 2}) + std::string("\x00\xff\x33\x80", 4));
  const auto data = ReadFile(path);
  ASSERT_TRUE(data.ok()) << data.status();
  ASSERT_EQ(data->rows.rows(), 2);
  ASSERT_EQ(data->rows.cols(), 2);
  EXPECT_EQ(data->rows.row(0)[0], 0);
  EXPECT_EQ(data->rows.row(0)[1], 1);
  EXPECT_FLOAT_EQ(data->rows.row(1)[0], 51 / 255.0f);
  EXPECT_EQ(data->shape->channels, 1);
  EXPECT_EQ(data->shape->height, 1);
  EXPECT_EQ(data->shape->width, 2);
  EXPECT_DOUBLE_EQ(data->scale, 1.0 / 255);
}

TEST_F(IdxTest, GzippedFilesReadAsPlainOnes) {
  std::string bytes = IdxHeader(kUbyte, {3, 4, 5});
  for (int i = 0; i < 60; ++i) bytes += static_cast<char>(i * 4);
  const auto plain = ReadFile(Write("a.idx", bytes));
  const auto packed = ReadFile(WriteGzip("a.idx.gz", bytes));
  ASSERT_TRUE(plain.ok()) << plain.status();
  ASSERT_TRUE(packed.ok()) << packed.status();
  ASSERT_EQ(packed->rows.size(), 60);
  for (int i = 0; i < 60; ++i) EXPECT_EQ(packed->rows.data()[i], plain->rows.data()[i]);
}

TEST_F(IdxTest, LabelsAreIntegersWithoutScaling) {
  const auto labels =
      ReadLabels(Write("l-idx1-ubyte", IdxHeader(kUbyte, {3}) + std::string("\x09\x00\x05", 3)));
  ASSERT_TRUE(labels.ok()) << labels.status();
  EXPECT_THAT(*labels, testing::ElementsAre(9, 0, 5));
}

TEST_F(IdxTest, ElementsAreBigEndian) {
  const auto integers = ReadFile(
      Write("i.idx", IdxHeader(0x0C, {1, 2}) + std::string("\x00\x00\x01\x00\xff\xff\xff\xfe", 8)));
  ASSERT_TRUE(integers.ok()) << integers.status();
  EXPECT_EQ(integers->rows.data()[0], 256);
  EXPECT_EQ(integers->rows.data()[1], -2);
  EXPECT_EQ(integers->converted_from, "int32");
  const auto floats = ReadFile(
      Write("f.idx", IdxHeader(0x0D, {1, 1}) + std::string("\x3f\xc0\x00\x00", 4)));  // 1.5
  ASSERT_TRUE(floats.ok()) << floats.status();
  EXPECT_EQ(floats->rows.data()[0], 1.5f);
  EXPECT_EQ(floats->converted_from, "");
}

TEST_F(IdxTest, TruncatedFilesAreRefusedWithTheirPlace) {
  const auto data = ReadFile(Write("t.idx", IdxHeader(kUbyte, {2, 2, 2}) + "abc"));
  EXPECT_EQ(data.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(data.status().message()),
              testing::AllOf(HasSubstr("t.idx: byte 16"), HasSubstr("announces 8 bytes")));
  EXPECT_FALSE(ReadFile(Write("h.idx", IdxHeader(kUbyte, {2, 2, 2}).substr(0, 9))).ok());
  EXPECT_FALSE(ReadFile(Write("e.idx", "")).ok());
}

TEST_F(IdxTest, TruncatedGzipIsRefused) {
  // Random bytes do not compress, so that the announced size is plausible and the cut is found
  // only while reading.
  std::mt19937 random(1);
  std::string bytes = IdxHeader(kUbyte, {100, 10, 10});
  for (int i = 0; i < 10000; ++i) bytes += static_cast<char>(random());
  const std::string packed = Read(WriteGzip("whole.gz", bytes));
  for (const size_t keep : {packed.size() / 2, packed.size() - 4}) {
    const auto data = ReadFile(Write("cut.gz", packed.substr(0, keep)));
    EXPECT_EQ(data.status().code(), absl::StatusCode::kInvalidArgument) << keep;
  }
}

TEST_F(IdxTest, BytesBehindTheDataAreRefused) {
  const auto data = ReadFile(Write("m.idx", IdxHeader(kUbyte, {1, 1, 1}) + "ab"));
  EXPECT_THAT(std::string(data.status().message()), HasSubstr("more in the file"));
}

TEST_F(IdxTest, HeadersThatAnnounceMoreThanTheFileCanHoldTakeNoMemory) {
  // 2^29 x 2^5 bytes in 20: plain, and in a gzip stream whose expansion is bounded by 1032.
  const std::string lie = IdxHeader(kUbyte, {1u << 29, 8, 4}) + "abcd";
  for (const std::string& path : {Write("lie.idx", lie), WriteGzip("lie.gz", lie)}) {
    const auto data = ReadFile(path);
    EXPECT_EQ(data.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(data.status().message()), HasSubstr("announces 17179869184 bytes"));
  }
}

TEST_F(IdxTest, ShapesBeyondTheServiceAreRefused) {
  for (const std::vector<uint32_t>& sizes : {std::vector<uint32_t>{0, 2, 2},
                                             {1, 0, 2},
                                             {0xffffffff, 1, 1},
                                             {2, 1 << 20, 2},
                                             {1 << 30, 1 << 10, 1 << 10}}) {
    const auto data = ReadFile(Write("s.idx", IdxHeader(kUbyte, sizes)));
    EXPECT_EQ(data.status().code(), absl::StatusCode::kInvalidArgument) << sizes[0];
  }
}

TEST_F(IdxTest, GzipThatUnpacksToMoreThanAnnouncedIsNotUnpacked) {
  // 64 MiB of zeros behind a header that announces one byte: read to the second and refused.
  const auto data =
      ReadFile(WriteGzip("bomb.gz", IdxHeader(kUbyte, {1, 1, 1}) + std::string(64 << 20, '\0')));
  EXPECT_THAT(std::string(data.status().message()), HasSubstr("byte 17: there is more"));
}

TEST_F(IdxTest, OtherFilesAreRefusedByTheirFirstBytes) {
  for (const std::string& bytes :
       {std::string("\x89PNG\r\n"), std::string("\0\0\x07\x01\0\0\0\1", 8),
        std::string("\0\0\x08\x05", 4), std::string("\0\0\x08\0", 4)}) {
    const auto data = ReadFile(Write("x.idx", bytes));
    EXPECT_THAT(std::string(data.status().message()), HasSubstr("not an IDX file"));
  }
}

}  // namespace
}  // namespace riesz
