// Data sets found by name, and CIFAR-10.
#include "core/dataset/dataset.h"

#include <gmock/gmock.h>

#include "core/error.h"
#include "tests/dataset/test_files.h"

namespace riesz {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr uint8_t kUbyte = 0x08;
constexpr size_t kCifarPixels = 3072;

class DatasetTest : public FileTest {
 protected:
  absl::StatusOr<Dataset> Find(const std::string& name, const std::string& split = "train") const {
    return ReadDataset(folder_, name, split);
  }
  void WriteDigits() const {
    Write("digits/train-images-idx3-ubyte", IdxHeader(kUbyte, {2, 1, 1}) + "\x0a\x14");
    Write("digits/train-labels-idx1-ubyte", IdxHeader(kUbyte, {2}) + "\x07\x01");
    WriteGzip("digits/t10k-images-idx3-ubyte.gz", IdxHeader(kUbyte, {1, 1, 1}) + "\x33");
    WriteGzip("digits/t10k-labels-idx1-ubyte.gz", IdxHeader(kUbyte, {1}) + "\x03");
  }
};

std::string CifarRecord(char label, char pixel) {
  return std::string(1, label) + std::string(kCifarPixels, pixel);
}

TEST_F(DatasetTest, SplitsAreFoundWithTheirLabels) {
  WriteDigits();
  const auto train = Find("digits");
  ASSERT_TRUE(train.ok()) << train.status();
  EXPECT_THAT(train->labels, ElementsAre(7, 1));
  EXPECT_EQ(train->rows.rows(), 2);
  const auto test = Find("digits", "test");
  ASSERT_TRUE(test.ok()) << test.status();
  EXPECT_THAT(test->labels, ElementsAre(3));
  EXPECT_FLOAT_EQ(test->rows.data()[0], 51 / 255.0f);
}

TEST_F(DatasetTest, LabelsMustMatchTheirImages) {
  WriteDigits();
  Write("digits/train-labels-idx1-ubyte", IdxHeader(kUbyte, {1}) + "\x07");
  EXPECT_THAT(std::string(Find("digits").status().message()), HasSubstr("1 labels for 2 images"));
}

TEST_F(DatasetTest, CifarBatchesAreJoinedInTheirOrder) {
  Write("cifar-10/data_batch_1.bin", CifarRecord(3, '\xff') + CifarRecord(4, '\0'));
  Write("cifar-10/data_batch_2.bin", CifarRecord(9, '\x33'));
  Write("cifar-10/test_batch.bin", CifarRecord(0, '\x33'));
  const auto train = Find("cifar-10");
  ASSERT_TRUE(train.ok()) << train.status();
  EXPECT_THAT(train->labels, ElementsAre(3, 4, 9));
  ASSERT_EQ(train->rows.cols(), static_cast<int64_t>(kCifarPixels));
  EXPECT_EQ(train->rows.row(0)[0], 1);
  EXPECT_EQ(train->rows.row(1)[kCifarPixels - 1], 0);
  EXPECT_FLOAT_EQ(train->rows.row(2)[0], 51 / 255.0f);
  EXPECT_EQ(train->shape->channels, 3);
  EXPECT_EQ(Find("cifar-10", "test")->labels.size(), 1u);
}

TEST_F(DatasetTest, MalformedCifarIsRefused) {
  EXPECT_THAT(std::string(ReadFile(Write("x.bin", "abc")).status().message()),
              HasSubstr("3 bytes are no multiple of 3073"));
  EXPECT_FALSE(ReadFile(Write("x.bin", "")).ok());
  EXPECT_THAT(std::string(ReadFile(Write("x.bin", CifarRecord(10, 0))).status().message()),
              HasSubstr("record 0: label must be in [0, 9], got 10"));
}

TEST_F(DatasetTest, FilesAreDataSetsWithAndWithoutTheirEnding) {
  Write("points.csv", "1,2\n3,4\n");
  for (const std::string name : {"points", "points.csv"}) {
    const auto data = Find(name, "test");
    ASSERT_TRUE(data.ok()) << data.status();
    EXPECT_EQ(data->rows.rows(), 2);
  }
}

TEST_F(DatasetTest, NoNameLeadsOutOfTheDirectory) {
  Write("secret.csv", "1\n");
  const std::string inner = Path("inner");
  std::filesystem::create_directory(inner);
  for (const std::string& name :
       {std::string("../secret"), std::string("/etc/passwd"), std::string(".."), std::string("."),
        std::string(""), std::string("a/b"), std::string(".hidden"), std::string("a\0b", 3)}) {
    const auto data = ReadDataset(inner, name, "train");
    EXPECT_EQ(data.status().code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_EQ(DetailOf(data.status())->metadata.at("field"), "data_set.name");
  }
}

TEST_F(DatasetTest, UnknownNamesAndSplitsAreToldApart) {
  WriteDigits();
  EXPECT_EQ(Find("letters").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Find("digits", "validation").status().code(), absl::StatusCode::kInvalidArgument);
  std::filesystem::remove(Path("digits/t10k-images-idx3-ubyte.gz"));
  EXPECT_THAT(std::string(Find("digits", "test").status().message()),
              HasSubstr("'digits' has no split 'test'"));
}

TEST_F(DatasetTest, ListsWhatItCanReadInOrder) {
  WriteDigits();
  Write("points.csv", "1\n");
  Write("notes.md", "");
  Write(".hidden.csv", "1\n");
  std::filesystem::create_directory(Path("empty"));
  EXPECT_THAT(ListDatasets(folder_), ElementsAre("digits", "points.csv"));
  EXPECT_THAT(ListDatasets(Path("absent")), ElementsAre());
}

TEST_F(DatasetTest, OtherEndingsAndOtherThingsThanFilesAreRefused) {
  EXPECT_THAT(std::string(ReadFile(Write("a.parquet", "PAR1")).status().message()),
              HasSubstr("the ending must be"));
  std::filesystem::create_directory(Path("folder.npy"));
  EXPECT_THAT(std::string(ReadFile(Path("folder.npy")).status().message()),
              HasSubstr("not a regular file"));
}

// A file of every format, each a little over a mebibyte.
class WatchTest : public DatasetTest {
 protected:
  WatchTest() {
    Matrix columns(1 << 18, 2);
    EXPECT_TRUE(WriteNpy(Path("points.npy"), columns.view()).ok());
    std::string fortran = Read(Path("points.npy"));
    const size_t order = fortran.find("False");
    fortran.replace(order, 5, "True ");
    Write("fortran.npy", fortran);
    std::string lines;
    for (int i = 0; i < 1 << 18; ++i) lines += "1,2\n";
    Write("points.csv", lines + lines);
    Write("images.idx", IdxHeader(kUbyte, {1 << 10, 40, 40}) + std::string(1600 << 10, '\1'));
    std::string records;
    for (int i = 0; i < 400; ++i) records += CifarRecord(3, 'x');
    Write("batch.bin", records);
  }
  const std::vector<std::string> names_ = {"points.npy", "fortran.npy", "points.csv", "images.idx",
                                           "batch.bin"};
};

TEST_F(WatchTest, AReadingThatMayNotGoOnEndsThere) {
  for (const std::string& name : names_) {
    int asked = 0;
    const auto data = ReadFile(Path(name), {.reserve = nullptr, .proceed = [&asked] {
                                              ++asked;
                                              return absl::CancelledError("gone");
                                            }});
    EXPECT_EQ(data.status(), absl::CancelledError("gone")) << name;
    EXPECT_EQ(asked, 1) << name;
  }
}

TEST_F(WatchTest, MemoryIsAskedForBeforeItIsTaken) {
  for (const std::string& name : names_) {
    int64_t asked_bytes = 0;
    ReadWatch watch;
    watch.reserve = [&asked_bytes](int64_t bytes) {
      asked_bytes += bytes;
      return absl::OkStatus();
    };
    const auto data = ReadFile(Path(name), watch);
    ASSERT_TRUE(data.ok()) << data.status();
    EXPECT_GE(asked_bytes, static_cast<int64_t>(data->rows.bytes() + 4 * data->labels.size()))
        << name;
    watch.reserve = [](int64_t) { return absl::ResourceExhaustedError("full"); };
    EXPECT_EQ(ReadFile(Path(name), watch).status(), absl::ResourceExhaustedError("full")) << name;
  }
}

TEST_F(WatchTest, LabelsAreAskedForToo) {
  int64_t asked_bytes = 0;
  ReadWatch watch;
  watch.reserve = [&asked_bytes](int64_t bytes) {
    asked_bytes += bytes;
    return absl::OkStatus();
  };
  WriteDigits();
  const auto data = ReadDataset(folder_, "digits", "train", watch);
  ASSERT_TRUE(data.ok()) << data.status();
  // Two pixels; two labels as numbers of a file and as labels.
  EXPECT_EQ(asked_bytes, 4 * (2 + 2 + 2));
}

}  // namespace
}  // namespace riesz
