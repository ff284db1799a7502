#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/commands.h"
#include "client/cli/directions.h"
#include "client/cli/ensemble_text.h"
#include "client/cli/flow_text.h"
#include "client/cli/flow_watch.h"
#include "client/cli/operand.h"
#include "core/error.h"
#include "core/status_macros.h"

namespace riesz::cli {
namespace {

struct ParameterOptions {
  std::optional<double> step_size, momentum, exponent;
  std::optional<int64_t> measure_every;
  std::vector<std::string> freeze;
  DirectionOptions directions;

  bool given() const {
    return step_size || momentum || exponent || measure_every || !freeze.empty() ||
           directions.given() || directions.seed;
  }

  // What was given overwrites what is there. On the wire 0 stands for the default of step_size,
  // exponent and measure_every; on a command line it is a mistake.
  absl::Status Fill(v1::FlowParameters* parameters) const {
    if (step_size == 0) return InvalidField("flow.step_size", "in (0, 10]", "0");
    if (step_size) parameters->set_step_size(*step_size);
    if (momentum) parameters->set_momentum(*momentum);
    if (exponent == 0) return InvalidField("flow.exponent", "in (0.5, 2)", "0");
    if (exponent) parameters->set_exponent(*exponent);
    if (measure_every == 0) return InvalidField("flow.measure_every", "in [1, 1000000]", "0");
    if (measure_every) parameters->set_measure_every(*measure_every);
    if (!freeze.empty()) parameters->clear_frozen();
    for (const std::string& range : freeze) {
      RIESZ_ASSIGN_OR_RETURN(*parameters->add_frozen(), ParseRange(range));
    }
    return FillDirections(directions, parameters->mutable_directions());
  }
};

void DeclareParameters(CLI::App& sub, ParameterOptions& options) {
  sub.add_option("--step-size", options.step_size, "tau, in (0, 10]; default 1");
  sub.add_option("--momentum", options.momentum, "m, in [0, 1); default 0");
  sub.add_option("--exponent", options.exponent, "r of the kernel, in (0.5, 2); default 1");
  DeclareDirections(sub, options.directions, "500");
  sub.add_option("--freeze", options.freeze, "BEGIN:END, coordinates that never move; repeatable")
      ->allow_extra_args(false);
  sub.add_option("--measure-every", options.measure_every,
                 "Steps between measurements of the energy distance; default 10");
}

struct FlowOptions {
  std::string id, request_id;
};

void DeclareFlow(CLI::App& sub, FlowOptions& options) {
  sub.add_option("NAME", options.id, "The flow")->required();
}

void DeclareChange(CLI::App& sub, FlowOptions& options) {
  DeclareFlow(sub, options);
  sub.add_option("--request-id", options.request_id, "Deduplicates repeats of this command");
}

struct CreateFlowOptions : FlowOptions, ParameterOptions {
  std::string from, target;
};

absl::Status RunCreate(Session& session, const CreateFlowOptions& options) {
  v1::CreateFlowRequest request;
  request.set_id(options.id);
  request.set_request_id(options.request_id);
  RIESZ_RETURN_IF_ERROR(options.Fill(request.mutable_parameters()));
  RIESZ_ASSIGN_OR_RETURN(const Operand target, ParseOperand(options.target));
  if (target.kind != Operand::Kind::kEnsemble) {
    return InvalidField("--target", "an ensemble (`riesz ensemble put` makes one of a file)",
                        options.target);
  }
  request.set_target(target.name);
  RIESZ_ASSIGN_OR_RETURN(*request.mutable_start(), Resolve(session, options.from));
  RIESZ_ASSIGN_OR_RETURN(Client * client, session.client());
  RIESZ_ASSIGN_OR_RETURN(const v1::CreateFlowResponse response, client->CreateFlow(request));
  session.output().Answer(response, FlowLine(response.flow()));
  for (const std::string& note : response.flow().notes()) session.output().Note(note);
  return absl::OkStatus();
}

struct AdvanceOptions : FlowOptions {
  int64_t to = 0;
  bool watch = false;
};

absl::Status RunAdvance(Session& session, const AdvanceOptions& options) {
  RIESZ_ASSIGN_OR_RETURN(Client * client, session.client());
  v1::AdvanceFlowRequest request;
  request.set_id(options.id);
  request.set_request_id(options.request_id);
  request.set_target_step(options.to);
  RIESZ_ASSIGN_OR_RETURN(v1::AdvanceFlowResponse response, client->AdvanceFlow(request));
  if (options.watch) {
    RIESZ_ASSIGN_OR_RETURN(*response.mutable_flow(), Watch(session, {.id = options.id}));
  }
  session.output().Answer(response, FlowLine(response.flow()));
  if (options.watch && response.flow().step() < options.to) {
    return absl::AbortedError(absl::StrCat("flow '", options.id, "' was stopped at step ",
                                           response.flow().step(), " of ", options.to));
  }
  return absl::OkStatus();
}

absl::Status RunWatch(Session& session, const WatchOptions& options) {
  RIESZ_ASSIGN_OR_RETURN(const v1::Flow flow, Watch(session, options));
  if (!session.output().json()) {
    v1::WatchFlowResponse response;
    *response.mutable_flow() = flow;
    session.output().Answer(response, FlowLine(flow));
  }
  return absl::OkStatus();
}

// Commands that send one flow's name and show the flow that comes back.
template <typename Request, typename Response>
auto RunChange(absl::StatusOr<Response> (Client::*method)(Request)) {
  return [method](Session& session, const FlowOptions& options) -> absl::Status {
    RIESZ_ASSIGN_OR_RETURN(Client * client, session.client());
    Request request;
    request.set_id(options.id);
    if constexpr (requires { request.set_request_id(""); }) {
      request.set_request_id(options.request_id);
    }
    RIESZ_ASSIGN_OR_RETURN(const Response response, (client->*method)(request));
    if constexpr (requires { response.flow(); }) {
      const bool everything = std::is_same_v<Request, v1::GetFlowRequest>;
      session.output().Answer(response,
                              everything ? FlowText(response.flow()) : FlowLine(response.flow()));
    } else {
      session.output().Answer(response, absl::StrCat("flow '", options.id, "' deleted"));
    }
    return absl::OkStatus();
  };
}

absl::Status RunList(Session& session, const FlowOptions&) {
  RIESZ_ASSIGN_OR_RETURN(Client * client, session.client());
  RIESZ_ASSIGN_OR_RETURN(const v1::ListFlowsResponse list, client->ListFlows());
  session.output().Answer(list, FlowTable(list));
  return absl::OkStatus();
}

struct ForkOptions : FlowOptions, ParameterOptions {
  std::string new_id;
};

absl::Status RunFork(Session& session, const ForkOptions& options) {
  RIESZ_ASSIGN_OR_RETURN(Client * client, session.client());
  v1::ForkFlowRequest request;
  request.set_source_id(options.id);
  request.set_id(options.new_id);
  request.set_request_id(options.request_id);
  if (options.given()) {
    v1::GetFlowRequest get;
    get.set_id(options.id);
    RIESZ_ASSIGN_OR_RETURN(const v1::GetFlowResponse source, client->GetFlow(get));
    *request.mutable_parameters() = source.flow().parameters();
    RIESZ_RETURN_IF_ERROR(options.Fill(request.mutable_parameters()));
  }
  RIESZ_ASSIGN_OR_RETURN(const v1::ForkFlowResponse response, client->ForkFlow(request));
  session.output().Answer(response, FlowLine(response.flow()));
  for (const std::string& note : response.flow().notes()) session.output().Note(note);
  return absl::OkStatus();
}

struct SnapshotOptions : FlowOptions {
  std::string ensemble;
};

absl::Status RunSnapshot(Session& session, const SnapshotOptions& options) {
  RIESZ_ASSIGN_OR_RETURN(Client * client, session.client());
  v1::SnapshotFlowRequest request;
  request.set_id(options.id);
  request.set_ensemble_id(options.ensemble);
  request.set_request_id(options.request_id);
  RIESZ_ASSIGN_OR_RETURN(const v1::SnapshotFlowResponse response, client->SnapshotFlow(request));
  session.output().Answer(
      response, absl::StrCat(EnsembleLine(response.ensemble()), " (step ", response.step(), ")"));
  return absl::OkStatus();
}

void AddStepping(CLI::App& group, Command& command) {
  AddCommand<CreateFlowOptions>(
      group, command, "create", "Make a flow at step 0",
      [](CLI::App& sub, CreateFlowOptions& options) {
        DeclareChange(sub, options);
        sub.add_option("--from", options.from, absl::StrCat("Start; copied: ", kOperandHelp))
            ->required();
        sub.add_option("--target", options.target, "The ensemble that it flows to")->required();
        DeclareParameters(sub, options);
      },
      RunCreate);
  AddCommand<AdvanceOptions>(
      group, command, "advance", "Ask for steps up to an absolute one",
      [](CLI::App& sub, AdvanceOptions& options) {
        DeclareChange(sub, options);
        sub.add_option("--to", options.to, "The step to reach")->required();
        sub.add_flag("--watch", options.watch,
                     "Stay until it is reached; Ctrl-C leaves it running");
      },
      RunAdvance);
  AddCommand<WatchOptions>(
      group, command, "watch", "Show a flow until it rests; with -o json a line a state",
      [](CLI::App& sub, WatchOptions& options) {
        options.json_lines = true;
        sub.add_option("NAME", options.id, "The flow")->required();
        sub.add_flag("--follow", options.follow, "Go on until the flow is deleted");
        sub.add_option("--interval", options.interval_s, "Least seconds between two states")
            ->capture_default_str()
            ->check(CLI::Range(0.01, 3600.0));
      },
      RunWatch);
}

}  // namespace

void AddFlowCommands(CLI::App& app, Command& command) {
  CLI::App& group = AddGroup(app, "flow", "Particles that descend D^2 towards a target");
  AddStepping(group, command);
  AddCommand<FlowOptions>(group, command, "cancel", "Drop the steps still to do", DeclareChange,
                          RunChange(&Client::CancelFlow));
  AddCommand<FlowOptions>(group, command, "reset", "Take a failed flow back to its last good step",
                          DeclareChange, RunChange(&Client::ResetFlow));
  AddCommand<ForkOptions>(
      group, command, "fork", "Make a new flow of another's particles and velocity",
      [](CLI::App& sub, ForkOptions& options) {
        DeclareChange(sub, options);
        sub.add_option("NEW", options.new_id, "The new flow")->required();
        DeclareParameters(sub, options);
      },
      RunFork);
  AddCommand<SnapshotOptions>(
      group, command, "snapshot", "Keep a flow's particles as an ensemble",
      [](CLI::App& sub, SnapshotOptions& options) {
        DeclareChange(sub, options);
        sub.add_option("ENSEMBLE", options.ensemble, "The new ensemble")->required();
      },
      RunSnapshot);
  AddCommand<FlowOptions>(
      group, command, "ls", "All of them", [](CLI::App&, FlowOptions&) {}, RunList);
  AddCommand<FlowOptions>(group, command, "show", "Everything about one", DeclareFlow,
                          RunChange(&Client::GetFlow));
  AddCommand<FlowOptions>(group, command, "rm", "Stop and delete one", DeclareChange,
                          RunChange(&Client::DeleteFlow));
}

}  // namespace riesz::cli
