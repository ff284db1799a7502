// What rieszd can be told: flags, environment (RIESZ_<FLAG>), defaults, in that order.
//
// Thread safety: the functions are pure but for reading the environment and, for the default of
// --data-dir, looking whether a directory exists.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/backend/matrix_precision.h"
#include "server/log.h"

namespace riesz {

struct ServerOptions {
  std::vector<std::string> listen{"127.0.0.1:7443"};  // HOST:PORT or unix:PATH
  bool insecure_allow_remote = false;
  std::string metrics_listen;  // HOST:PORT; empty: off
  std::string data_dir;
  std::string state_dir;
  // Not "auto": the cuda backend has not run on a GPU yet (tests/bench/results/README.md), and
  // nobody should be computing on it without having said so.
  std::string device = "cpu";
  MatrixPrecision matrix_precision = MatrixPrecision::kFp32;
  int threads = 0;                 // 0: all that the process may use
  int64_t memory_limit_bytes = 0;  // 0: 80 % of the device
  std::chrono::milliseconds quantum{50};
  int64_t max_queued_jobs = 256;
  int64_t max_calls = 4096;
  int max_concurrent_streams = 1024;  // per connection
  int64_t max_message_bytes = 4 << 20;
  std::chrono::seconds drain_timeout{30};
  int io_threads = 1;
  LogLevel log_level = LogLevel::kInfo;
};

struct CommandLine {
  ServerOptions options;
  // --help, --version and --print-config: print this and exit with 0.
  std::string print_and_exit;
};

// INVALID_ARGUMENT: one sentence with flag, allowed range and value.
absl::StatusOr<CommandLine> ParseCommandLine(const std::vector<std::string>& arguments);

// One "flag = value" a line, as --print-config shows it.
std::string PrintConfig(const ServerOptions& options);

// Plain text stays on this machine unless --insecure-allow-remote says otherwise.
absl::Status CheckListenAddresses(const ServerOptions& options);

}  // namespace riesz
