#include "core/error.h"

#include <gtest/gtest.h>

namespace riesz {
namespace {

TEST(ErrorTest, TheDetailComesBackWithAnyBytesInIt) {
  const ErrorDetail detail{.reason = ErrorReason::kMemory,
                           .metadata = {{"what", std::string("a\0b\n", 4)}, {"", ""}}};
  const auto read = DetailOf(WithDetail(absl::ResourceExhaustedError("full"), detail));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->reason, ErrorReason::kMemory);
  EXPECT_EQ(read->metadata, detail.metadata);
}

TEST(ErrorTest, AStatusWithoutDetailHasNone) {
  EXPECT_FALSE(DetailOf(absl::InternalError("x")).has_value());
  EXPECT_FALSE(DetailOf(absl::OkStatus()).has_value());
}

TEST(ErrorTest, ALaterDetailReplacesAnEarlierOne) {
  absl::Status status = WithDetail(absl::InternalError("x"), {ErrorReason::kInUse, {{"a", "b"}}});
  status = WithDetail(status, {ErrorReason::kLimit, {}});
  EXPECT_EQ(DetailOf(status)->reason, ErrorReason::kLimit);
  EXPECT_TRUE(DetailOf(status)->metadata.empty());
}

TEST(ErrorTest, TheCommonErrorsSayWhichFieldAndWhichResource) {
  const absl::Status field = InvalidField("flow.step_size", "in (0, 10]", "-1");
  EXPECT_EQ(field.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(field.message(), "flow.step_size must be in (0, 10], got -1");
  EXPECT_EQ(DetailOf(field)->metadata.at("field"), "flow.step_size");
  const absl::Status missing = NotFoundError("ensemble", "y");
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(missing.message(), "ensemble 'y' does not exist");
  const absl::Status taken = AlreadyExistsError("ensemble", "y");
  EXPECT_EQ(taken.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(DetailOf(taken)->reason, ErrorReason::kAlreadyExists);
  EXPECT_EQ(DetailOf(taken)->metadata.at("id"), "y");
}

}  // namespace
}  // namespace riesz
