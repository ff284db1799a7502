// Against files that NumPy wrote (npy/make.py), hostile ones, and what WriteNpy writes.
#include <gmock/gmock.h>

#include <bit>
#include <cmath>

#include "core/dataset/dataset.h"
#include "core/dataset/elements.h"
#include "tests/dataset/test_files.h"

namespace riesz {
namespace {

using testing::ElementsAreArray;
using testing::HasSubstr;

class NpyTest : public FileTest {
 protected:
  static absl::StatusOr<Dataset> Numpy(const std::string& name) {
    return ReadFile(std::string(RIESZ_NPY_FOLDER) + "/" + name + ".npy");
  }
  static std::vector<float> Values(const Dataset& data) {
    return {data.rows.data(), data.rows.data() + data.rows.size()};
  }
  // A file with this header text and 48 bytes of data.
  std::string WithHeader(const std::string& text) const {
    std::string bytes("\x93NUMPY\x01\x00", 8);
    bytes += static_cast<char>(text.size() & 255);
    bytes += static_cast<char>(text.size() >> 8);
    return Write("h.npy", bytes + text + std::string(48, '\0'));
  }
};

// value(i, j) = 10 i + j + offset, as npy/make.py writes them.
std::vector<float> Grid(float offset) {
  std::vector<float> out;
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 4; ++j) out.push_back(10.0f * i + j + offset);
  }
  return out;
}

TEST_F(NpyTest, EveryRealTypeBecomesFloat32AndSaysWhatItWas) {
  for (const std::string type : {"float16", "float64", "int8", "int16", "int32", "int64", "uint8",
                                 "uint16", "uint32", "uint64"}) {
    const auto data = Numpy(type);
    ASSERT_TRUE(data.ok()) << data.status();
    EXPECT_THAT(Values(*data), ElementsAreArray(Grid(type[0] == 'u' ? 0 : -15))) << type;
    EXPECT_EQ(data->converted_from, type);
  }
  const auto truth = Numpy("bool");
  ASSERT_TRUE(truth.ok()) << truth.status();
  EXPECT_EQ(truth->rows.data()[0], 0);
  EXPECT_EQ(truth->rows.data()[11], 1);
}

TEST_F(NpyTest, Float32IsReadAsItStands) {
  for (const std::string name : {"float32", "version2", "fortran-float32"}) {
    const auto data = Numpy(name);
    ASSERT_TRUE(data.ok()) << name << data.status();
    EXPECT_EQ(data->rows.rows(), 3);
    EXPECT_EQ(data->rows.cols(), 4);
    EXPECT_THAT(Values(*data), ElementsAreArray(Grid(-15))) << name;
    EXPECT_EQ(data->converted_from, "");
    EXPECT_FALSE(data->shape.has_value());
  }
}

TEST_F(NpyTest, BigEndianNumbersAreTurned) {
  for (const std::string name :
       {"big-endian-float16", "big-endian-float32", "big-endian-float64"}) {
    const auto data = Numpy(name);
    ASSERT_TRUE(data.ok()) << data.status();
    EXPECT_THAT(Values(*data), ElementsAreArray(Grid(-15))) << name;
  }
}

TEST_F(NpyTest, ImagesAreFlattenedRowByRowInEitherOrder) {
  std::vector<float> expected(24);
  for (size_t i = 0; i < expected.size(); ++i) expected[i] = static_cast<float>(i);
  for (const std::string name : {"images", "fortran-images"}) {
    const auto data = Numpy(name);
    ASSERT_TRUE(data.ok()) << data.status();
    EXPECT_EQ(data->rows.rows(), 2);
    EXPECT_EQ(data->rows.cols(), 12);
    EXPECT_THAT(Values(*data), ElementsAreArray(expected)) << name;
    EXPECT_EQ(data->shape->height, 3);
    EXPECT_EQ(data->shape->width, 4);
  }
  const auto colour = Numpy("colour-images");
  ASSERT_TRUE(colour.ok()) << colour.status();
  EXPECT_EQ(colour->shape->channels, 3);
  EXPECT_EQ(colour->rows.cols(), 12);
  EXPECT_EQ(colour->scale, 1);
}

TEST_F(NpyTest, AVectorIsOneColumn) {
  const auto data = Numpy("vector");
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_EQ(data->rows.rows(), 5);
  EXPECT_EQ(data->rows.cols(), 1);
  EXPECT_EQ(data->rows.data()[4], 4);
}

TEST_F(NpyTest, HalfPrecisionIsExactDownToSubnormals) {
  const auto data = Numpy("subnormal-float16");
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_EQ(data->rows.data()[0], 0x1p-24f);
  EXPECT_EQ(data->rows.data()[1], -0x1p-14f);
  EXPECT_EQ(data->rows.data()[2], 65504.0f);
  EXPECT_EQ(data->rows.data()[3], 0.333251953125f);  // 1/3 in binary16
  EXPECT_TRUE(std::isnan(FloatFromHalf(0x7e00)));
  EXPECT_EQ(FloatFromHalf(0xfc00), -HUGE_VALF);
  EXPECT_TRUE(std::signbit(FloatFromHalf(0x8000)));
}

TEST_F(NpyTest, NonFiniteNumbersAreReadAsTheyStand) {
  const auto data = Numpy("not-finite");
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_TRUE(std::isnan(data->rows.data()[0]));
  EXPECT_EQ(data->rows.data()[1], HUGE_VALF);
}

TEST_F(NpyTest, WhatFloat32CannotHoldIsRefusedWithItsPlace) {
  const auto data = Numpy("beyond-float32");
  EXPECT_THAT(std::string(data.status().message()), HasSubstr("row 1, column 1 is beyond"));
}

TEST_F(NpyTest, WhatIsNoSetOfParticlesIsRefused) {
  EXPECT_THAT(std::string(Numpy("scalar").status().message()), HasSubstr("a single number"));
  EXPECT_THAT(std::string(Numpy("empty").status().message()), HasSubstr("axis 0 must be in"));
  EXPECT_THAT(std::string(Numpy("complex").status().message()), HasSubstr("got <c8"));
  EXPECT_THAT(std::string(Numpy("record").status().message()), HasSubstr("descr must be"));
  EXPECT_EQ(Numpy("absent").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(NpyTest, HostileHeadersAreRefused) {
  const std::string order = "'fortran_order': False, ";
  for (const std::string& text :
       {std::string("{}"), std::string("{'descr': '<f4', 'fortran_order': Maybe, 'shape': (3, 4)}"),
        "{'descr': '<f4', " + order + "}", "{'descr': '<f4', " + order + "'shape': (3, 4}",
        "{'descr': '<f4', " + order + "'shape': (3, -4)}",
        "{'descr': '<f4', " + order + "'shape': (3, x)}",
        "{'descr': '<f4', " + order + "'shape': (99999999999999999999, 1)}",
        "{'descr': '<f4', " + order + "'shape': (1073741824, 1048576)}",
        "{'descr': '<f4', " + order + "'shape': (1, 1, 1, 1, 1, 1, 1, 1, 12)}",
        "{'descr': '<f4, " + order + "'shape': (3, 4)}",
        "{'descr': '', " + order + "'shape': (3,)}",
        "{'descr': '<f4', " + order + "'shape': (1000000, 4)}"}) {
    const auto data = ReadFile(WithHeader(text));
    EXPECT_EQ(data.status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
  const auto good = ReadFile(WithHeader("{'descr': '<f4', " + order + "'shape': (3, 4), }"));
  EXPECT_TRUE(good.ok()) << good.status();
}

TEST_F(NpyTest, TruncatedFilesAreRefusedAtEveryLength) {
  const std::string whole = Read(std::string(RIESZ_NPY_FOLDER) + "/float64.npy");
  for (size_t keep = 0; keep < whole.size(); ++keep) {
    EXPECT_FALSE(ReadFile(Write("t.npy", whole.substr(0, keep))).ok()) << keep;
  }
  EXPECT_TRUE(ReadFile(Write("t.npy", whole)).ok());
  EXPECT_FALSE(ReadFile(Write("t.npy", whole + "x")).ok());
}

TEST_F(NpyTest, AHeaderLongerThanItsBoundIsNotRead) {
  std::string bytes("\x93NUMPY\x02\x00", 8);
  bytes += std::string("\xff\xff\xff\xff", 4);
  const auto data = ReadFile(Write("long.npy", bytes));
  EXPECT_THAT(std::string(data.status().message()), HasSubstr("at most 65536 bytes"));
}

TEST_F(NpyTest, WrittenFilesReadBackBitForBit) {
  Matrix rows(7, 3);
  for (int64_t i = 0; i < rows.size(); ++i) {
    rows.data()[i] = std::bit_cast<float>(static_cast<uint32_t>(i * 0x01234567));
  }
  ASSERT_TRUE(WriteNpy(Path("w.npy"), rows.view()).ok());
  const auto data = ReadFile(Path("w.npy"));
  ASSERT_TRUE(data.ok()) << data.status();
  ASSERT_EQ(data->rows.rows(), 7);
  ASSERT_EQ(data->rows.cols(), 3);
  for (int64_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(std::bit_cast<uint32_t>(data->rows.data()[i]),
              std::bit_cast<uint32_t>(rows.data()[i]));
  }
}

TEST_F(NpyTest, WrittenBytesAreThoseOfNumpy) {
  Matrix rows(3, 4);
  const std::vector<float> grid = Grid(-15);
  std::copy(grid.begin(), grid.end(), rows.data());
  ASSERT_TRUE(WriteNpy(Path("w.npy"), rows.view()).ok());
  EXPECT_EQ(Read(Path("w.npy")), Read(std::string(RIESZ_NPY_FOLDER) + "/float32.npy"));
}

TEST_F(NpyTest, WrittenLabelsReadBack) {
  const std::vector<int32_t> labels = {3, -1, 16777216, 0};
  ASSERT_TRUE(WriteNpy(Path("l.npy"), labels).ok());
  const auto read = ReadLabels(Path("l.npy"));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, labels);
}

TEST_F(NpyTest, AFailedWriteLeavesTheOldFileAndNoOther) {
  const Matrix rows(1, 1);
  EXPECT_EQ(WriteNpy(Path("no/such/folder.npy"), rows.view()).code(), absl::StatusCode::kNotFound);
  std::filesystem::create_directory(Path("taken.npy"));
  EXPECT_FALSE(WriteNpy(Path("taken.npy"), rows.view()).ok());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

}  // namespace
}  // namespace riesz
