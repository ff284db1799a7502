// What people and scripts read: numbers, tables, JSON, progress lines, exit codes, arguments.
#include <gmock/gmock.h>

#include "client/cli/arguments.h"
#include "client/cli/directions.h"
#include "client/cli/exit_code.h"
#include "client/cli/format.h"
#include "client/cli/operand.h"
#include "client/cli/output.h"
#include "client/cli/progress.h"
#include "core/error.h"

namespace riesz::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(FormatTest, AValueEndsWhereItsErrorDoes) {
  EXPECT_EQ(FormatWithError(1.23456, 0.00123), "1.2346 ± 0.0012");
  EXPECT_EQ(FormatWithError(-0.5, 0.25), "-0.50 ± 0.25");
  EXPECT_EQ(FormatWithError(1234.5, 12), "1234 ± 12");
  EXPECT_EQ(FormatWithError(0.0444168, std::nullopt), "0.0444168");
  EXPECT_EQ(FormatWithError(1, 0), "1 ± 0");
  EXPECT_EQ(FormatWithError(123456, 2000), "123456 ± 2e+03");
}

TEST(FormatTest, UnitsFollowTheSize) {
  EXPECT_EQ(FormatBytes(512), "512 B");
  EXPECT_EQ(FormatBytes(1536), "1.5 KiB");
  EXPECT_EQ(FormatBytes(3.0 * (1 << 30)), "3.0 GiB");
  EXPECT_EQ(FormatDuration(0.0123), "12.3 ms");
  EXPECT_EQ(FormatDuration(3.21), "3.2 s");
  EXPECT_EQ(FormatDuration(245), "4 min 05 s");
  EXPECT_EQ(FormatDuration(7380), "2 h 03 min");
  EXPECT_EQ(FormatTime(0), "1970-01-01 00:00:00 UTC");
}

TEST(FormatTest, NumbersStandUnderEachOther) {
  Table table({"NAME", "COUNT", "SOURCE"});
  table.AddRow({"a", "5", "upload"});
  table.AddRow({"longer", "1234", "copy"});
  EXPECT_EQ(table.Text(),
            "NAME    COUNT  SOURCE\n"
            "a           5  upload\n"
            "longer   1234  copy\n");
}

TEST(FormatTest, EmptyFieldsAreLeftOut) {
  EXPECT_EQ(FormatFields({{"id", "x"}, {"error", ""}, {"step", "3"}}), "id    x\nstep  3\n");
}

TEST(OutputTest, JsonHasProtoNamesAndLeavesAbsentErrorsOut) {
  v1::ComputeEnergyDistanceResponse reply;
  EXPECT_THAT(ToJson(reply), HasSubstr("\"energy_distance\":0"));
  EXPECT_THAT(ToJson(reply), Not(HasSubstr("slicing_standard_error")));
  EXPECT_THAT(ToJson(reply), Not(HasSubstr("\"slices\"")));
  reply.set_slicing_standard_error(0);
  reply.set_slices(7);
  EXPECT_THAT(ToJson(reply), HasSubstr("\"slicing_standard_error\":0"));
  EXPECT_THAT(ToJson(reply), HasSubstr("\"slices\":7"));
  EXPECT_THAT(ToJson(reply), Not(HasSubstr("\n")));
}

TEST(OutputTest, AnErrorIsOneLineWithItsCode) {
  const OutputOptions text;
  testing::internal::CaptureStderr();
  Output(text).Error(InvalidField("flow.step_size", "in (0, 10]", "-1\n2"));
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "riesz: INVALID_ARGUMENT: flow.step_size must be in (0, 10], got -1 2\n");
}

TEST(OutputTest, AnErrorInJsonHasReasonMetadataAndExitCode) {
  const OutputOptions json{.json = true, .quiet = false};
  testing::internal::CaptureStderr();
  testing::internal::CaptureStdout();
  Output(json).Error(NotFoundError("ensemble", "y"));
  const std::string error = testing::internal::GetCapturedStderr();
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  for (const char* part :
       {"\"exit_code\":3", "\"code\":\"NOT_FOUND\"", "\"reason\":\"NOT_FOUND\"", "\"id\":\"y\""}) {
    EXPECT_THAT(error, HasSubstr(part));
  }
}

TEST(ExitCodeTest, EveryClassOfErrorHasItsOwnAndNoneIsOne) {
  using absl::StatusCode;
  const std::pair<StatusCode, int> expected[] = {
      {StatusCode::kOk, 0},
      {StatusCode::kInvalidArgument, 2},
      {StatusCode::kOutOfRange, 2},
      {StatusCode::kUnimplemented, 2},
      {StatusCode::kNotFound, 3},
      {StatusCode::kAlreadyExists, 4},
      {StatusCode::kFailedPrecondition, 4},
      {StatusCode::kAborted, 4},
      {StatusCode::kPermissionDenied, 4},
      {StatusCode::kUnauthenticated, 4},
      {StatusCode::kResourceExhausted, 5},
      {StatusCode::kUnavailable, 6},
      {StatusCode::kDeadlineExceeded, 7},
      {StatusCode::kCancelled, 7},
      {StatusCode::kDataLoss, 8},
      {StatusCode::kInternal, 9},
      {StatusCode::kUnknown, 9},
  };
  for (const auto& [code, exit_code] : expected) {
    EXPECT_EQ(ExitCodeOf(absl::Status(code, "text")), exit_code) << static_cast<int>(code);
  }
  const absl::Status file = FileError(absl::NotFoundError("a.npy"));
  EXPECT_EQ(ExitCodeOf(file), 10);
  EXPECT_EQ(CodeName(file), "FILE");
  EXPECT_TRUE(FileError(absl::OkStatus()).ok());
}

TEST(OperandTest, NamesFlowsAndFilesAreToldApart) {
  EXPECT_EQ(ParseOperand("x")->kind, Operand::Kind::kEnsemble);
  EXPECT_EQ(ParseOperand("train-images-idx3-ubyte")->kind, Operand::Kind::kEnsemble);
  EXPECT_EQ(ParseOperand("./train-images-idx3-ubyte")->kind, Operand::Kind::kFile);
  EXPECT_EQ(ParseOperand("a.npy")->kind, Operand::Kind::kFile);
  const auto flow = ParseOperand("flow:f");
  EXPECT_EQ(flow->kind, Operand::Kind::kFlow);
  EXPECT_EQ(flow->name, "f");
  EXPECT_FALSE(flow->step.has_value());
  EXPECT_EQ(ParseOperand("flow:f@120")->step, 120);
  EXPECT_EQ(ParseOperand("flow:f@120")->name, "f");
  for (const std::string bad : {"flow:", "flow:@3", "flow:f@", "flow:f@-1", "flow:f@1x"}) {
    EXPECT_EQ(ParseOperand(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
}

TEST(ArgumentsTest, ShapesAreHeightByWidthWithOneOrThreeChannels) {
  EXPECT_EQ(ParseShape("28x30")->channels, 1);
  EXPECT_EQ(ParseShape("28x30")->height, 28);
  EXPECT_EQ(ParseShape("28x30")->width, 30);
  EXPECT_EQ(ParseShape("3x32x32")->channels, 3);
  for (const std::string bad : {"", "28", "28x", "x28", "2x28x28", "1x1x1x1", "0x28", "-1x28",
                                "28x99999", "28X28", "28x28 "}) {
    const auto shape = ParseShape(bad);
    EXPECT_EQ(shape.status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
}

TEST(ArgumentsTest, RangesCoordinatesAndMetadataAreCheckedInPlace) {
  EXPECT_EQ(ParseRange("2:5")->begin(), 2);
  EXPECT_EQ(ParseRange("2:5")->end(), 5);
  for (const std::string bad : {"5:2", "2:2", "-1:2", "2", "2:3:4", "a:b", ""}) {
    EXPECT_FALSE(ParseRange(bad).ok()) << bad;
  }
  EXPECT_EQ(*ParseCoordinates("3,0"), std::make_pair(int64_t{3}, int64_t{0}));
  for (const std::string bad : {"1,1", "1", "-1,0", "1,2,3", "a,b"}) {
    EXPECT_FALSE(ParseCoordinates(bad).ok()) << bad;
  }
  google::protobuf::Map<std::string, std::string> metadata;
  ASSERT_TRUE(ParseMetadata({"model=v7", "note=a=b", "empty="}, &metadata).ok());
  EXPECT_EQ(metadata["note"], "a=b");
  EXPECT_EQ(metadata["empty"], "");
  EXPECT_FALSE(ParseMetadata({"no-value"}, &metadata).ok());
  EXPECT_FALSE(ParseMetadata({"=x"}, &metadata).ok());
}

TEST(ArgumentsTest, ZeroSlicesAreAMistakeAndNotTheDefault) {
  DirectionOptions options;
  options.count = 0;
  v1::Directions directions;
  EXPECT_EQ(FillDirections(options, &directions).message(),
            "directions.count must be in [1, 1048576], got 0");
}

TEST(ArgumentsTest, DirectionsAreNamedAsTheyAreGiven) {
  for (const char* kind : {"orthogonal", "iid", "low-discrepancy", "structured"}) {
    DirectionOptions options;
    options.kind = kind;
    v1::Directions directions;
    ASSERT_TRUE(FillDirections(options, &directions).ok());
    EXPECT_EQ(DirectionsText(directions, 7), absl::StrCat("7 ", kind, " slices, seed 0"));
  }
}

TEST(ProgressTest, TheBarTakesWhatTheNumbersLeaveOfTheTerminal) {
  EXPECT_EQ(BarLine("f", 0.5, "step 1/2", 80), "f  [############------------]  step 1/2");
  EXPECT_EQ(BarLine("f", 2, "1.0 ± 0.1", 26), "f  [##########]  1.0 ± 0.1");
  EXPECT_EQ(BarLine("f", 0, "1.0 ± 0.1", 12), "f  1.0 ± 0.1");
  EXPECT_EQ(BarLine("f", 0, "1.0 ± 0.1", 8), "f  1.0 ±");
}

TEST(ProgressTest, PlainLinesAreBoundedInRateAndSilentForShortWork) {
  std::FILE* const file = std::tmpfile();
  {
    Progress progress({.enabled = true, .terminal = false, .width = 80, .file = file}, "upload");
    for (int i = 1; i <= 1000; ++i) progress.UpdateBytes(i, 1000);
  }
  EXPECT_EQ(std::ftell(file), 0);
  std::fclose(file);
}

TEST(ProgressTest, ATerminalSeesTheFirstAndTheLastState) {
  std::FILE* const file = std::tmpfile();
  {
    Progress progress({.enabled = true, .terminal = true, .width = 80, .file = file}, "flow f");
    for (int i = 0; i <= 1000; ++i) progress.UpdateSteps(i, 1000, 50, "energy distance 2");
  }
  std::string text(static_cast<size_t>(std::ftell(file)), '\0');
  std::rewind(file);
  ASSERT_EQ(std::fread(text.data(), 1, text.size(), file), text.size());
  std::fclose(file);
  EXPECT_THAT(text, testing::StartsWith("\rflow f  [-----------------]  step 0/1000"));
  EXPECT_THAT(text, HasSubstr("step 1000/1000  50.0/s  energy distance 2"));
  EXPECT_EQ(text.back(), '\n');
}

}  // namespace
}  // namespace riesz::cli
