// riesz: the command line of a Riesz server.
#include <malloc.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/session.h"
#include "core/termination_signals.h"

namespace riesz::cli {
namespace {

constexpr char kVersion[] = "riesz " RIESZ_VERSION;

// Without these, malloc gives every 1 MiB message back to the kernel and asks for it again, which
// costs a third of a transfer's rate.
void KeepFreedMemory() {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 512 << 20);
}

// The first signal winds the session down; another one, or one before there is anything to wind
// down, ends the process. timeout(1) and others signal the process and its group: two at once are
// one.
void WaitForSignals(TerminationSignals signals, Session* session) {
  constexpr std::chrono::seconds kSameSignal{1};
  std::optional<std::chrono::steady_clock::time_point> first;
  while (true) {
    const int signal = signals.Wait();
    const auto now = std::chrono::steady_clock::now();
    if (!first && session->Interrupt(signal)) {
      first = now;
    } else if (!first || now - *first > kSameSignal) {
      _exit(kInterrupted + signal);
    }
  }
}

void DeclareGlobals(CLI::App& app, SessionOptions& options, std::string& format) {
  app.add_option("--server", options.server, "HOST:PORT or unix:PATH")
      ->capture_default_str()
      ->envname("RIESZ_SERVER");
  app.add_option("-o,--output", format, "text, or json: the server's answer in one line")
      ->capture_default_str()
      ->check(CLI::IsMember({"text", "json"}));
  app.add_option("--timeout", options.timeout_s, "Seconds that each call may take; default: any")
      ->check(CLI::PositiveNumber);
  app.add_option("--connect-timeout", options.connect_timeout_s, "Seconds to wait for a connection")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_flag("-q,--quiet", options.output.quiet, "No progress and no notes");
  app.set_version_flag("--version", kVersion);
  app.require_subcommand(1);
  app.footer(ExitCodeHelp());
}

int Run(int argc, char** argv, TerminationSignals signals) {
  SessionOptions options;
  std::string format = "text";
  int exit_code = kOk;
  // Never destroyed: the thread that waits for signals looks at it until the process ends.
  auto* const session = new Session(options);
  std::thread(WaitForSignals, signals, session).detach();

  CLI::App app("Distribution matching with Riesz kernels: energy distances, gradients and flows",
               "riesz");
  Command command{*session, options, nullptr};
  DeclareGlobals(app, options, format);
  AddServerCommands(app, command);
  AddEnsembleCommands(app, command);
  AddDiscrepancyCommands(app, command);
  AddFlowCommands(app, command);
  AddPictureCommands(app, command);
  absl::Status status;
  try {
    app.parse(argc, argv);
    options.output.json = format == "json";
    status = command.run();
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    options.output.json = format == "json";
    status = absl::InvalidArgumentError(absl::StrCat(error.what(), " (see riesz --help)"));
  } catch (const std::bad_alloc&) {
    status = absl::ResourceExhaustedError("out of memory on this machine");
  }
  session->CleanUp();
  const int signal = session->interrupted();
  if (signal != 0) {
    session->output().Note("interrupted");
    exit_code = kInterrupted + signal;
  } else if (!status.ok()) {
    session->output().Error(status);
    exit_code = ExitCodeOf(status);
  }
  return exit_code;
}

}  // namespace
}  // namespace riesz::cli

int main(int argc, char** argv) {
  riesz::cli::KeepFreedMemory();
  return riesz::cli::Run(argc, argv, riesz::TerminationSignals());
}
