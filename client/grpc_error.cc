#include "client/grpc_error.h"

#include <google/protobuf/unknown_field_set.h>

#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/error.h"
#include "riesz/v1/errors.pb.h"

namespace riesz {
namespace {

using google::protobuf::UnknownField;
using google::protobuf::UnknownFieldSet;

// google.rpc.Status { 1: code, 2: message, 3: repeated Any }, Any { 1: type_url, 2: value } and
// ErrorInfo { 1: reason, 2: domain, 3: map<string, string> metadata } are read by field number:
// linking google.rpc would clash with programs that bring their own.
constexpr int kStatusDetails = 3;
constexpr int kAnyTypeUrl = 1;
constexpr int kAnyValue = 2;
constexpr int kInfoReason = 1;
constexpr int kInfoDomain = 2;
constexpr int kInfoMetadata = 3;

template <typename Visit>
void ForEachString(const std::string& message, Visit visit) {
  UnknownFieldSet fields;
  if (!fields.ParseFromString(message)) return;
  for (int i = 0; i < fields.field_count(); ++i) {
    const UnknownField& field = fields.field(i);
    if (field.type() == UnknownField::TYPE_LENGTH_DELIMITED) {
      visit(field.number(), field.length_delimited());
    }
  }
}

std::optional<ErrorDetail> ParseErrorInfo(const std::string& message) {
  ErrorDetail detail;
  std::string domain;
  std::string reason;
  ForEachString(message, [&](int number, const std::string& value) {
    if (number == kInfoReason) reason = value;
    if (number == kInfoDomain) domain = value;
    if (number == kInfoMetadata) {
      std::string entry[2];
      ForEachString(value, [&](int part, const std::string& text) {
        if (part == 1 || part == 2) entry[part - 1] = text;
      });
      detail.metadata[entry[0]] = entry[1];
    }
  });
  v1::ErrorReason known;
  if (domain != "riesz.v1" ||
      !v1::ErrorReason_Parse(absl::StrCat("ERROR_REASON_", reason), &known)) {
    return std::nullopt;
  }
  detail.reason = static_cast<ErrorReason>(known);  // the same numbers by design
  return detail;
}

}  // namespace

absl::Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  absl::Status out(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  ForEachString(status.error_details(), [&](int number, const std::string& any) {
    if (number != kStatusDetails) return;
    std::string type_url;
    std::string value;
    ForEachString(any, [&](int part, const std::string& text) {
      if (part == kAnyTypeUrl) type_url = text;
      if (part == kAnyValue) value = text;
    });
    if (!absl::EndsWith(type_url, "/google.rpc.ErrorInfo")) return;
    if (const auto detail = ParseErrorInfo(value)) out = WithDetail(std::move(out), *detail);
  });
  return out;
}

}  // namespace riesz
