// The commands of `riesz`. Each Add... declares subcommands with their options; parsing the command
// line then leaves the chosen one in Command::run.
//
// Thread safety: one thread at a time.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "client/cli/session.h"

namespace riesz::cli {

struct Command {
  Session& session;
  SessionOptions& options;
  std::function<absl::Status()> run;
};

void AddServerCommands(CLI::App& app, Command& command);       // health, server
void AddEnsembleCommands(CLI::App& app, Command& command);     // ensemble
void AddDiscrepancyCommands(CLI::App& app, Command& command);  // distance, gradient
void AddFlowCommands(CLI::App& app, Command& command);         // flow
void AddPictureCommands(CLI::App& app, Command& command);      // image, plot

// A subcommand whose options, of type Options, are filled by `declare(subcommand, options)` and
// used by `run(session, options)`.
template <typename Options, typename Declare, typename Run>
CLI::App* AddCommand(CLI::App& parent, Command& command, const char* name, const char* help,
                     Declare declare, Run run) {
  CLI::App* const app = parent.add_subcommand(name, help);
  // -o and --server may stand behind the subcommand too.
  app->fallthrough();
  auto options = std::make_shared<Options>();
  declare(*app, *options);
  app->callback([&command, options, run] {
    command.run = [&command, options, run] { return run(command.session, *options); };
  });
  return app;
}

// A subcommand that only groups others.
CLI::App& AddGroup(CLI::App& app, const char* name, const char* help);

}  // namespace riesz::cli
