#include <gmock/gmock.h>

#include <cmath>

#include "core/dataset/dataset.h"
#include "tests/dataset/test_files.h"

namespace riesz {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class CsvTest : public FileTest {
 protected:
  absl::StatusOr<Dataset> Parse(const std::string& text) const {
    return ReadFile(Write("a.csv", text));
  }
  static std::vector<float> Values(const Dataset& data) {
    return {data.rows.data(), data.rows.data() + data.rows.size()};
  }
  std::string ErrorOf(const std::string& text) const {
    const auto data = Parse(text);
    EXPECT_EQ(data.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(data.status().message());
  }
};

TEST_F(CsvTest, APackedFileUnderThisNameIsRefusedNotCutShort) {
  std::string text;
  for (int i = 0; i < 10000; ++i) text += "0.125,0.25\n";
  EXPECT_FALSE(ReadFile(WriteGzip("a.csv", text)).ok());
}

TEST_F(CsvTest, EverySeparatorReadsTheSame) {
  for (const std::string text :
       {"1,2.5\n-3,4e2\n", "1;2.5\n-3;4e2", "1\t2.5\n-3\t4e2\n", "1 2.5\n-3   4e2\n",
        "1, 2.5\r\n-3, +4e2\r\n", "# made by hand\nx,y\n\n1,2.5\n\n-3,4e2\n"}) {
    const auto data = Parse(text);
    ASSERT_TRUE(data.ok()) << data.status() << text;
    EXPECT_EQ(data->rows.cols(), 2);
    EXPECT_THAT(Values(*data), ElementsAre(1, 2.5f, -3, 400)) << text;
  }
}

TEST_F(CsvTest, OneColumnIsAVector) {
  const auto data = Parse("value\n1\n2\n3\n");
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_EQ(data->rows.rows(), 3);
  EXPECT_EQ(data->rows.cols(), 1);
}

TEST_F(CsvTest, ErrorsNameLineAndColumn) {
  EXPECT_THAT(ErrorOf("1,2\n3,four\n"),
              HasSubstr("a.csv: line 2, column 2: 'four' is not a number"));
  EXPECT_THAT(ErrorOf("1,2\n\n3\n"), HasSubstr("line 3, column 1: the line has 1 columns"));
  EXPECT_THAT(ErrorOf("1,2\n3,\n"), HasSubstr("line 2, column 2: '' is not a number"));
  EXPECT_THAT(ErrorOf("1,2\n3,1e39\n"), HasSubstr("line 2, column 2: is beyond"));
  EXPECT_THAT(ErrorOf("1,2\n3,4x\n"), HasSubstr("'4x'"));
}

TEST_F(CsvTest, OnlyTheFirstLineMayBeAHeading) {
  EXPECT_THAT(ErrorOf("x,y\nlength,width\n1,2\n"), HasSubstr("line 2, column 1: 'length'"));
}

TEST_F(CsvTest, AFileWithoutNumbersIsRefused) {
  EXPECT_THAT(ErrorOf(""), HasSubstr("no numbers"));
  EXPECT_THAT(ErrorOf("x,y\n"), HasSubstr("no numbers"));
  EXPECT_THAT(ErrorOf("# nothing\n\n"), HasSubstr("no numbers"));
}

TEST_F(CsvTest, DecimalCommasAreRefusedAndNotReadAsColumns) {
  EXPECT_THAT(ErrorOf("1;2\n1,5;2,5\n"), HasSubstr("line 2, column 1: '1,5' is not a number"));
}

TEST_F(CsvTest, NonFiniteNumbersAreReadAsTheyStand) {
  const auto data = Parse("nan,inf\n-inf,1\n");
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_TRUE(std::isnan(data->rows.data()[0]));
  EXPECT_EQ(data->rows.data()[1], HUGE_VALF);
}

TEST_F(CsvTest, LabelsMustBeIntegers) {
  EXPECT_THAT(*ReadLabels(Write("l.csv", "3\n1\n-2\n")), ElementsAre(3, 1, -2));
  EXPECT_THAT(std::string(ReadLabels(Write("l.csv", "3\n1.5\n")).status().message()),
              HasSubstr("row 1: a label must be an integer in [-2^24, 2^24], got 1.5"));
  EXPECT_FALSE(ReadLabels(Write("l.csv", "nan\n")).ok());
  EXPECT_FALSE(ReadLabels(Write("l.csv", "1,2\n")).ok());
}

}  // namespace
}  // namespace riesz
