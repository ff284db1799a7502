#include "server/grpc_status.h"

#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "riesz/v1/errors.pb.h"
#include "server/status_details.pb.h"

namespace riesz {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

internal::ErrorInfo InfoOf(const grpc::Status& status) {
  internal::StatusDetails details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  EXPECT_EQ(details.code(), static_cast<int>(status.error_code()));
  EXPECT_EQ(details.message(), status.error_message());
  EXPECT_EQ(details.details_size(), 1);
  internal::ErrorInfo info;
  if (details.details_size() == 1) {
    EXPECT_EQ(details.details(0).type_url(), "type.googleapis.com/google.rpc.ErrorInfo");
    EXPECT_TRUE(info.ParseFromString(details.details(0).value()));
  }
  return info;
}

TEST(GrpcStatusTest, OkStaysOk) { EXPECT_TRUE(ToGrpcStatus(absl::OkStatus(), "r").ok()); }

TEST(GrpcStatusTest, CodeTextReasonAndMetadataCross) {
  const grpc::Status status =
      ToGrpcStatus(InvalidField("flow.step_size", "in (0, 10]", "-1"), "r-1");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "flow.step_size must be in (0, 10], got -1");
  const internal::ErrorInfo info = InfoOf(status);
  EXPECT_EQ(info.reason(), "INVALID_FIELD");
  EXPECT_EQ(info.domain(), "riesz.v1");
  EXPECT_EQ(info.metadata().at("field"), "flow.step_size");
}

TEST(GrpcStatusTest, ReasonsOfTheCoreAreThoseOfTheProtocol) {
  const google::protobuf::EnumDescriptor* reasons = v1::ErrorReason_descriptor();
  // The last of the core's list: both lists end there.
  EXPECT_EQ(reasons->value_count(), static_cast<int>(ErrorReason::kInternal) + 1);
  const std::pair<ErrorReason, const char*> expected[] = {
      {ErrorReason::kUnspecified, "UNSPECIFIED"},
      {ErrorReason::kInvalidField, "INVALID_FIELD"},
      {ErrorReason::kNotFound, "NOT_FOUND"},
      {ErrorReason::kAlreadyExists, "ALREADY_EXISTS"},
      {ErrorReason::kInUse, "IN_USE"},
      {ErrorReason::kWrongState, "WRONG_STATE"},
      {ErrorReason::kMemory, "MEMORY"},
      {ErrorReason::kLimit, "LIMIT"},
      {ErrorReason::kChecksum, "CHECKSUM"},
      {ErrorReason::kUploadOffset, "UPLOAD_OFFSET"},
      {ErrorReason::kUploadBusy, "UPLOAD_BUSY"},
      {ErrorReason::kNonFinite, "NON_FINITE"},
      {ErrorReason::kRequestIdReused, "REQUEST_ID_REUSED"},
      {ErrorReason::kDraining, "DRAINING"},
      {ErrorReason::kDeviceLost, "DEVICE_LOST"},
      {ErrorReason::kDeadline, "DEADLINE"},
      {ErrorReason::kCancelled, "CANCELLED"},
      {ErrorReason::kNotOffered, "NOT_OFFERED"},
      {ErrorReason::kInternal, "INTERNAL"},
  };
  EXPECT_EQ(std::size(expected), static_cast<size_t>(reasons->value_count()));
  for (const auto& [reason, name] : expected) {
    const auto* value = reasons->FindValueByName(std::string("ERROR_REASON_") + name);
    ASSERT_NE(value, nullptr) << name;
    EXPECT_EQ(value->number(), static_cast<int>(reason)) << name;
    EXPECT_EQ(ReasonName(reason), name);
  }
}

TEST(GrpcStatusTest, EveryCodeHasAReason) {
  for (int code = 1; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "text");
    const internal::ErrorInfo info = InfoOf(ToGrpcStatus(status, "r"));
    EXPECT_NE(info.reason(), "");
    EXPECT_NE(info.reason(), "UNSPECIFIED") << code;
  }
}

TEST(GrpcStatusTest, InternalErrorsNameTheRequest) {
  EXPECT_THAT(ToGrpcStatus(absl::InternalError("broken"), "abc-7").error_message(),
              EndsWith("(request id abc-7)"));
}

TEST(GrpcStatusTest, DetailsStayBelowTheirLimitWhateverTheErrorSays) {
  ErrorDetail detail{ErrorReason::kInUse, {}};
  for (int i = 0; i < 200; ++i) {
    detail.metadata[absl::StrCat("key", i)] = std::string(5000, 'v');
  }
  const absl::Status status =
      WithDetail(absl::FailedPreconditionError(std::string(100'000, 'm')), detail);
  const grpc::Status converted = ToGrpcStatus(status, std::string(100'000, 'r'));
  EXPECT_LE(converted.error_details().size(), kMaxStatusDetailsBytes);
  EXPECT_LE(converted.error_message().size(), 1024u);
  EXPECT_EQ(InfoOf(converted).reason(), "IN_USE");
  EXPECT_GE(InfoOf(converted).metadata_size(), 1);
}

TEST(GrpcStatusTest, TextThatIsNotUtf8BecomesReadable) {
  const grpc::Status status =
      ToGrpcStatus(absl::NotFoundError(std::string("upload '\xff\xfe' \xc3\xa9 \xe2\x82")), "r");
  EXPECT_EQ(status.error_message(),
            "upload '?"
            "?' \xc3\xa9 ??");
  InfoOf(status);
}

TEST(GrpcStatusTest, ACutTextEndsWithAWholeCharacter) {
  std::string text;
  while (text.size() < 5000) text += "\xe2\x82\xac";  // the euro sign, three bytes
  const std::string cut = ToGrpcStatus(absl::NotFoundError(text), "r").error_message();
  EXPECT_EQ(cut.size() % 3, 0u);
  EXPECT_EQ(cut, text.substr(0, cut.size()));
}

}  // namespace
}  // namespace riesz
