// Errors with a machine-readable reason: an absl::Status whose payload carries what clients act on.
//
// The server turns the payload into google.rpc.ErrorInfo (proto/riesz/v1/errors.proto lists the
// reasons with examples). A status without a payload gets its code's default reason there.
//
// Thread safety: the functions are pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace riesz {

// Same names and numbers as riesz.v1.ErrorReason (a test in server/ compares them).
enum class ErrorReason {
  kUnspecified = 0,
  kInvalidField = 1,
  kNotFound = 2,
  kAlreadyExists = 3,
  kInUse = 4,
  kWrongState = 5,
  kMemory = 6,
  kLimit = 7,
  kChecksum = 8,
  kUploadOffset = 9,
  kUploadBusy = 10,
  kNonFinite = 11,
  kRequestIdReused = 12,
  kDraining = 13,
  kDeviceLost = 14,
  kDeadline = 15,
  kCancelled = 16,
  kNotOffered = 17,
  kInternal = 18,
};

struct ErrorDetail {
  ErrorReason reason = ErrorReason::kUnspecified;
  std::map<std::string, std::string> metadata;
};

// The status with the detail attached (replacing one that is there).
absl::Status WithDetail(absl::Status status, const ErrorDetail& detail);
// The detail, or nothing where none was attached.
std::optional<ErrorDetail> DetailOf(const absl::Status& status);

// INVALID_ARGUMENT "<field> must be <range>, got <value>".
absl::Status InvalidField(std::string_view field, std::string_view range, std::string_view value);
// NOT_FOUND "<resource> '<id>' does not exist".
absl::Status NotFoundError(std::string_view resource, std::string_view id);
// ALREADY_EXISTS "<resource> '<id>' already exists".
absl::Status AlreadyExistsError(std::string_view resource, std::string_view id);

}  // namespace riesz
