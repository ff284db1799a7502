// What the process returns, by class of error. 1 is kept free for a test that says "different".
//
// Thread safety: the functions are pure.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace riesz::cli {

enum ExitCode {
  kOk = 0,
  kUsage = 2,         // INVALID_ARGUMENT, OUT_OF_RANGE, UNIMPLEMENTED, a wrong command line
  kNotFound = 3,      // NOT_FOUND
  kState = 4,         // ALREADY_EXISTS, FAILED_PRECONDITION, ABORTED, PERMISSION_DENIED, ...
  kExhausted = 5,     // RESOURCE_EXHAUSTED
  kUnavailable = 6,   // UNAVAILABLE, no connection, NOT_SERVING
  kStopped = 7,       // DEADLINE_EXCEEDED, CANCELLED by the server
  kDataLoss = 8,      // DATA_LOSS
  kInternal = 9,      // INTERNAL, UNKNOWN
  kLocalFile = 10,    // a file here cannot be read, is malformed, or cannot be written
  kInterrupted = 128  // plus the signal's number: 130 after Ctrl-C
};

ExitCode ExitCodeOf(const absl::Status& status);

// Marks an error as one of a file on this machine.
absl::Status FileError(absl::Status status);

// "INVALID_ARGUMENT", or "FILE" for a local file's error.
std::string CodeName(const absl::Status& status);

// The list above, for --help.
std::string ExitCodeHelp();

}  // namespace riesz::cli
