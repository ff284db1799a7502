// rieszd: reads options, starts the server, drains on SIGTERM or SIGINT.
//
// Exit codes: 0 after a drain, 1 when the server cannot start, 2 for a bad option, 130 at a second
// signal.
#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/backend/make_backend.h"
#include "core/status_macros.h"
#include "core/termination_signals.h"
#include "server/log.h"
#include "server/options.h"
#include "server/server.h"

namespace riesz {
namespace {

// Chunks of a megabyte would otherwise be mapped and unmapped one by one, which halves transfers.
void TuneAllocator() {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 512 << 20);
}

void LogFromGrpc(gpr_log_func_args* args) {
  const LogLevel level = args->severity == GPR_LOG_SEVERITY_ERROR  ? LogLevel::kWarning
                         : args->severity == GPR_LOG_SEVERITY_INFO ? LogLevel::kInfo
                                                                   : LogLevel::kDebug;
  Log(level, args->message, {{"from", "grpc"}});
}

void LogFromProtobuf(google::protobuf::LogLevel, const char*, int, const std::string& message) {
  Log(LogLevel::kDebug, message, {{"from", "protobuf"}});
}

// `auto` is the first GPU where there is one, else the cpu, which one warning tells. A GPU that was
// asked for by name and is not there is an error.
absl::StatusOr<std::unique_ptr<Backend>> MakeDevice(const ServerOptions& options) {
  const BackendOptions backend_options{.threads = options.threads,
                                       .matrix_precision = options.matrix_precision};
  if (options.device != "auto") return MakeBackend(options.device, backend_options);
  absl::StatusOr<std::unique_ptr<Backend>> gpu = MakeBackend("cuda:0", backend_options);
  if (gpu.ok()) return gpu;
  Log(LogLevel::kWarning, "computing on the cpu, no GPU can be used",
      {{"reason", std::string(gpu.status().message())}});
  return MakeBackend("cpu", backend_options);
}

absl::StatusOr<std::unique_ptr<Server>> StartServer(const ServerOptions& options) {
  RIESZ_ASSIGN_OR_RETURN(std::unique_ptr<Backend> backend, MakeDevice(options));
  std::vector<std::unique_ptr<Backend>> backends;
  backends.push_back(std::move(backend));
  return Server::Start(options, std::move(backends));
}

int Main(const std::vector<std::string>& arguments) {
  TuneAllocator();
  const TerminationSignals signals;
  signal(SIGPIPE, SIG_IGN);  // a client that goes away must not end the server
  gpr_set_log_function(LogFromGrpc);
  google::protobuf::SetLogHandler(LogFromProtobuf);

  const absl::StatusOr<CommandLine> command_line = ParseCommandLine(arguments);
  if (!command_line.ok()) {
    std::fprintf(stderr, "rieszd: %s\n", std::string(command_line.status().message()).c_str());
    return 2;
  }
  if (!command_line->print_and_exit.empty()) {
    std::fputs(command_line->print_and_exit.c_str(), stdout);
    return 0;
  }
  const ServerOptions& options = command_line->options;
  SetLogLevel(options.log_level);
  if (!options.state_dir.empty()) {
    Log(LogLevel::kWarning, "state is not yet durable: it is kept in memory and lost at exit",
        {{"state_dir", options.state_dir}, {"durability", "EPHEMERAL"}});
  }

  const absl::StatusOr<std::unique_ptr<Server>> server = StartServer(options);
  if (!server.ok()) {
    std::fprintf(stderr, "rieszd: %s\n", std::string(server.status().message()).c_str());
    return absl::IsInvalidArgument(server.status()) ? 2 : 1;
  }
  for (const std::string& address : (*server)->addresses()) {
    std::printf("rieszd listening on %s\n", address.c_str());
  }
  if (const std::string metrics = (*server)->metrics_address(); !metrics.empty()) {
    std::printf("metrics on %s\n", metrics.c_str());
  }
  std::fflush(stdout);

  const int first = signals.Wait();
  Log(LogLevel::kInfo, "signal received", {{"signal", absl::StrCat(first)}});
  std::thread([signals] {
    signals.Wait();
    _exit(130);  // whoever asks twice does not want to wait
  }).detach();
  (*server)->Drain(options.drain_timeout);
  return 0;
}

}  // namespace
}  // namespace riesz

int main(int argc, char** argv) {
  return riesz::Main(std::vector<std::string>(argv + 1, argv + argc));
}
