#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/commands.h"
#include "client/cli/format.h"
#include "core/status_macros.h"

namespace riesz::cli {
namespace {

struct HealthOptions {
  std::string service;
};

absl::Status RunHealth(Session& session, const HealthOptions& options) {
  RIESZ_ASSIGN_OR_RETURN(Client * client, session.client());
  RIESZ_ASSIGN_OR_RETURN(const std::string status, client->CheckHealth(options.service));
  const std::string who = options.service.empty() ? "server" : options.service;
  if (status != "SERVING") {
    return absl::UnavailableError(absl::StrCat(who, " is ", status));
  }
  session.output().Answer({{"status", status}}, absl::StrCat(who, " is ", status));
  return absl::OkStatus();
}

struct NoOptions {};

std::string InfoText(const v1::GetServerInfoResponse& info) {
  std::vector<std::pair<std::string, std::string>> fields = {
      {"version", info.version()},
      {"commit", info.commit()},
      {"started", FormatTime(info.start_time().seconds())},
      {"durability", info.durability() == v1::DURABILITY_EPHEMERAL
                         ? "EPHEMERAL (state is lost when the server stops)"
                         : v1::Durability_Name(info.durability())},
      {"data sets", absl::StrJoin(info.data_sets(), ", ")},
  };
  for (const v1::Device& device : info.devices()) {
    const auto used = static_cast<double>(device.memory_used_bytes());
    const auto limit = static_cast<double>(device.memory_limit_bytes());
    fields.push_back({absl::StrCat("device ", device.name()), device.description()});
    fields.push_back({"  threads", absl::StrCat(device.threads())});
    fields.push_back({"  memory", absl::StrCat(FormatBytes(used), " of ", FormatBytes(limit))});
    fields.push_back({"  queue", absl::StrCat(device.queue_depth(), " jobs")});
    fields.push_back({"  methods", absl::StrJoin(device.methods(), ", ")});
  }
  for (const v1::Limit& limit : info.limits()) {
    fields.push_back({limit.name(), absl::StrCat(limit.value(), " ", limit.unit())});
  }
  return FormatFields(fields);
}

absl::Status RunInfo(Session& session, const NoOptions&) {
  RIESZ_ASSIGN_OR_RETURN(Client * client, session.client());
  RIESZ_ASSIGN_OR_RETURN(const v1::GetServerInfoResponse info, client->GetServerInfo());
  session.output().Answer(info, InfoText(info));
  return absl::OkStatus();
}

}  // namespace

CLI::App& AddGroup(CLI::App& app, const char* name, const char* help) {
  CLI::App* const group = app.add_subcommand(name, help);
  group->fallthrough();
  group->require_subcommand(1);
  return *group;
}

void AddServerCommands(CLI::App& app, Command& command) {
  AddCommand<HealthOptions>(
      app, command, "health", "Whether the server is ready (exit 0) or not (exit 6)",
      [&](CLI::App& sub, HealthOptions& options) {
        sub.add_option("SERVICE", options.service,
                       "One service, e.g. riesz.v1.FlowService, or liveness; default: all");
        sub.add_flag("--wait", command.options.wait_for_server,
                     "Wait for a server that is starting, up to --connect-timeout");
      },
      RunHealth);
  CLI::App& server = AddGroup(app, "server", "The server itself");
  AddCommand<NoOptions>(
      server, command, "info", "Version, devices, memory, limits, durability",
      [](CLI::App&, NoOptions&) {}, RunInfo);
}

}  // namespace riesz::cli
