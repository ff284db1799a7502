#include "server/grpc_status.h"

#include "absl/strings/str_cat.h"
#include "riesz/v1/errors.pb.h"
#include "server/status_details.pb.h"

namespace riesz {
namespace {

constexpr size_t kMaxTextBytes = 1024;
constexpr size_t kMaxMetadataValueBytes = 512;

// Length of the UTF-8 sequence at the start of `text`, 0 where there is none. Overlong forms and
// surrogates are left to pass: they harm nobody, and names come checked by protobuf in any case.
size_t SequenceLength(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const size_t length = lead < 0x80         ? 1
                        : lead >> 5 == 0x06 ? 2
                        : lead >> 4 == 0x0e ? 3
                        : lead >> 3 == 0x1e ? 4
                                            : 0;
  if (length == 0 || length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return 0;
  }
  return length;
}

// At most `limit` bytes of `text`, whole characters, '?' for what is not UTF-8: a string field that
// is not UTF-8 would make strict clients drop the whole detail.
std::string Clean(std::string_view text, size_t limit) {
  std::string clean;
  while (!text.empty()) {
    const size_t length = SequenceLength(text);
    const size_t taken = length == 0 ? 1 : length;
    if (clean.size() + taken > limit) break;
    if (length == 0) {
      clean.push_back('?');
    } else {
      clean.append(text.substr(0, length));
    }
    text.remove_prefix(taken);
  }
  return clean;
}

std::string EncodeDetails(int code, const std::string& text, const ErrorDetail& detail) {
  internal::ErrorInfo info;
  info.set_reason(ReasonName(detail.reason));
  info.set_domain("riesz.v1");
  size_t budget = kMaxStatusDetailsBytes - 2 * kMaxTextBytes;
  for (const auto& [key, value] : detail.metadata) {
    const std::string clean_key = Clean(key, 64);
    const std::string clean_value = Clean(value, kMaxMetadataValueBytes);
    const size_t size = clean_key.size() + clean_value.size() + 16;  // 16: tags and lengths
    if (size > budget) break;
    budget -= size;
    (*info.mutable_metadata())[clean_key] = clean_value;
  }
  internal::StatusDetails details;
  details.set_code(code);
  details.set_message(text);
  google::protobuf::Any* any = details.add_details();
  any->set_type_url("type.googleapis.com/google.rpc.ErrorInfo");
  any->set_value(info.SerializeAsString());
  return details.SerializeAsString();
}

}  // namespace

ErrorReason DefaultReason(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return ErrorReason::kInvalidField;
    case absl::StatusCode::kNotFound:
      return ErrorReason::kNotFound;
    case absl::StatusCode::kAlreadyExists:
      return ErrorReason::kAlreadyExists;
    case absl::StatusCode::kFailedPrecondition:
      return ErrorReason::kWrongState;
    case absl::StatusCode::kResourceExhausted:
      return ErrorReason::kLimit;
    case absl::StatusCode::kDataLoss:
      return ErrorReason::kChecksum;
    case absl::StatusCode::kAborted:
      return ErrorReason::kUploadBusy;
    case absl::StatusCode::kUnavailable:
      return ErrorReason::kDeviceLost;
    case absl::StatusCode::kDeadlineExceeded:
      return ErrorReason::kDeadline;
    case absl::StatusCode::kCancelled:
      return ErrorReason::kCancelled;
    case absl::StatusCode::kUnimplemented:
      return ErrorReason::kNotOffered;
    default:
      return ErrorReason::kInternal;
  }
}

std::string ReasonName(ErrorReason reason) {
  constexpr std::string_view kPrefix = "ERROR_REASON_";
  return v1::ErrorReason_Name(static_cast<v1::ErrorReason>(reason)).substr(kPrefix.size());
}

grpc::Status ToGrpcStatus(const absl::Status& status, std::string_view request_id) {
  if (status.ok()) return grpc::Status::OK;
  ErrorDetail detail = DetailOf(status).value_or(ErrorDetail{});
  if (detail.reason == ErrorReason::kUnspecified) detail.reason = DefaultReason(status.code());
  const absl::string_view message = status.message();
  std::string text = Clean({message.data(), message.size()}, kMaxTextBytes - 192);
  if (absl::IsInternal(status) || absl::IsUnknown(status)) {
    text = absl::StrCat(text, " (request id ", Clean(request_id, 128), ")");
  }
  const int code = static_cast<int>(status.code());
  return grpc::Status(static_cast<grpc::StatusCode>(code), text, EncodeDetails(code, text, detail));
}

}  // namespace riesz
