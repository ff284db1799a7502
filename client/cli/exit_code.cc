#include "client/cli/exit_code.h"

#include "absl/strings/cord.h"

namespace riesz::cli {
namespace {

constexpr char kFileMark[] = "riesz.cli/file";

bool IsFileError(const absl::Status& status) { return status.GetPayload(kFileMark).has_value(); }

}  // namespace

ExitCode ExitCodeOf(const absl::Status& status) {
  if (IsFileError(status)) return kLocalFile;
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kOk;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kUnimplemented:
      return kUsage;
    case absl::StatusCode::kNotFound:
      return kNotFound;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kAborted:
      return kState;
    case absl::StatusCode::kResourceExhausted:
      return kExhausted;
    case absl::StatusCode::kUnavailable:
      return kUnavailable;
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
      return kStopped;
    case absl::StatusCode::kDataLoss:
      return kDataLoss;
    default:
      return kInternal;
  }
}

absl::Status FileError(absl::Status status) {
  if (!status.ok()) status.SetPayload(kFileMark, absl::Cord());
  return status;
}

std::string CodeName(const absl::Status& status) {
  return IsFileError(status) ? "FILE" : absl::StatusCodeToString(status.code());
}

std::string ExitCodeHelp() {
  return "Exit codes: 0 done; 2 wrong usage or argument; 3 not found; 4 already exists or wrong "
         "state;\n5 out of memory, quota or queue; 6 server not reachable or not ready; 7 deadline "
         "or cancelled;\n8 data corrupted on the way; 9 internal error; 10 local file; 130 "
         "interrupted by Ctrl-C.";
}

}  // namespace riesz::cli
