#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/commands.h"
#include "client/cli/directions.h"
#include "client/cli/ensemble_text.h"
#include "client/cli/exit_code.h"
#include "client/cli/format.h"
#include "client/cli/operand.h"
#include "client/cli/progress.h"
#include "core/dataset/dataset.h"
#include "core/error.h"
#include "core/status_macros.h"

namespace riesz::cli {
namespace {

// What both commands take.
struct PairOptions {
  std::string x, y, method;
  std::optional<double> exponent;
  DirectionOptions directions;

  template <typename Request>
  absl::Status Fill(Session& session, Request* request) const {
    // Who names slices wants them.
    const std::string chosen = !method.empty() ? method : directions.given() ? "sliced" : "auto";
    RIESZ_ASSIGN_OR_RETURN(const v1::Method parsed, ParseMethod(chosen));
    request->set_method(parsed);
    // On the wire 0 stands for the default, on a command line it is a mistake.
    if (exponent == 0) return InvalidField("exponent", "in (0, 2)", "0");
    request->set_exponent(exponent.value_or(0));
    RIESZ_RETURN_IF_ERROR(FillDirections(directions, request->mutable_directions()));
    RIESZ_ASSIGN_OR_RETURN(*request->mutable_x(), Resolve(session, x));
    RIESZ_ASSIGN_OR_RETURN(*request->mutable_y(), Resolve(session, y));
    return absl::OkStatus();
  }
};

void DeclarePair(CLI::App& sub, PairOptions& options) {
  sub.add_option("X", options.x, kOperandHelp)->required();
  sub.add_option("Y", options.y, kOperandHelp)->required();
  sub.add_option("--method", options.method,
                 "exact, sliced or auto; default: sliced with --slices or --directions, else auto");
  sub.add_option("--exponent", options.exponent, "r of the kernel, in (0, 2); default 1");
  DeclareDirections(sub, options.directions, "1000");
}

// "slicing, 1000 orthogonal slices, seed 7" or why there is no error.
template <typename Reply>
std::string HowText(const Reply& reply) {
  if (reply.method() == v1::METHOD_EXACT) return "exact";
  const std::string directions = DirectionsText(reply.directions(), reply.slices());
  if (reply.has_slicing_standard_error()) return absl::StrCat("slicing, ", directions);
  return absl::StrCat("sliced, ", directions,
                      reply.slices() > 1 ? "; a single block: no error estimate" : "");
}

std::string ResolvedText(const v1::ResolvedParticles& particles) {
  return absl::StrCat(
      FormatShape(particles.count(), particles.dimension()),
      particles.has_flow_step() ? absl::StrCat(" (flow step ", particles.flow_step(), ")") : "");
}

template <typename Reply>
std::vector<std::pair<std::string, std::string>> CommonFields(const Reply& reply) {
  return {
      {"exponent", FormatNumber(reply.exponent())},
      {"x", ResolvedText(reply.x())},
      {"y", ResolvedText(reply.y())},
      {"time", absl::StrCat(FormatDuration(reply.compute_seconds()), " on ", reply.device(), ", ",
                            FormatDuration(reply.queue_seconds()), " queued")},
  };
}

struct DistanceOptions : PairOptions {
  std::string estimator = "v";
  std::optional<double> relative_error, absolute_error;
  int max_slices = 0;

  // Sets the request's target, if one was asked for.
  absl::Status FillTarget(v1::ComputeEnergyDistanceRequest* request) const {
    if (!relative_error && !absolute_error) {
      if (max_slices == 0) return absl::OkStatus();
      return absl::InvalidArgumentError("--max-slices bounds --error or --absolute-error");
    }
    v1::ErrorTarget* target = request->mutable_error_target();
    target->set_relative(relative_error.value_or(0));
    target->set_absolute(absolute_error.value_or(0));
    target->set_max_slices(max_slices);
    return absl::OkStatus();
  }
};

absl::Status RunDistance(Session& session, const DistanceOptions& options) {
  v1::ComputeEnergyDistanceRequest request;
  RIESZ_ASSIGN_OR_RETURN(const v1::Estimator estimator, ParseEstimator(options.estimator));
  request.set_estimator(estimator);
  RIESZ_RETURN_IF_ERROR(options.Fill(session, &request));
  RIESZ_RETURN_IF_ERROR(options.FillTarget(&request));
  RIESZ_ASSIGN_OR_RETURN(Client * client, session.client());
  RIESZ_ASSIGN_OR_RETURN(const v1::ComputeEnergyDistanceResponse reply,
                         client->ComputeEnergyDistance(request));
  const std::optional<double> error = reply.has_slicing_standard_error()
                                          ? std::optional(reply.slicing_standard_error())
                                          : std::nullopt;
  auto fields = CommonFields(reply);
  fields.insert(fields.begin(),
                {"estimator", reply.estimator() == v1::ESTIMATOR_U ? "U (unbiased)"
                                                                   : "V (biased, never negative)"});
  if (reply.has_target_met()) {
    fields.emplace_back("error target",
                        reply.target_met() ? "met" : "NOT met: the budget is spent");
  }
  if (reply.has_wasserstein_1_lower_bound()) {
    fields.emplace_back("Wasserstein-1",
                        absl::StrCat("at least ", FormatNumber(reply.wasserstein_1_lower_bound())));
  }
  session.output().Answer(
      reply, absl::StrCat("energy distance ", FormatWithError(reply.energy_distance(), error), " (",
                          HowText(reply), ")\n", FormatFields(fields)));
  return absl::OkStatus();
}

struct GradientOptions : PairOptions {
  std::string out, keep_as;
};

absl::Status RunGradient(Session& session, const GradientOptions& options) {
  if (options.out.empty() && options.keep_as.empty()) {
    return absl::InvalidArgumentError("--out FILE or --keep-as NAME must say where it goes");
  }
  if (!options.out.empty() && !options.keep_as.empty()) {
    return absl::InvalidArgumentError("--out and --keep-as exclude each other");
  }
  v1::ComputeGradientRequest request;
  request.set_keep_as(options.keep_as);
  RIESZ_RETURN_IF_ERROR(options.Fill(session, &request));
  RIESZ_ASSIGN_OR_RETURN(Client * client, session.client());
  GradientReply reply;
  {
    std::optional<Progress> progress;  // begins with the first bytes: computing is no transfer
    RIESZ_ASSIGN_OR_RETURN(reply, client->ComputeGradient(request, [&](int64_t done, int64_t all) {
      if (!progress) progress.emplace(Progress::Stderr(session.output().chatty()), "gradient");
      progress->UpdateBytes(done, all);
    }));
  }
  if (!options.out.empty()) {
    RIESZ_RETURN_IF_ERROR(FileError(WriteNpy(options.out, reply.gradient.view())));
  }
  const v1::GradientSummary& summary = reply.summary;
  auto fields = CommonFields(summary);
  // The error is that of one particle's velocity (root mean square), not of their mean.
  if (summary.has_slicing_standard_error()) {
    fields.insert(fields.begin(),
                  {"slicing error", absl::StrCat(FormatNumber(summary.slicing_standard_error()),
                                                 " a particle (rms)")});
  }
  fields.push_back({"written", options.out});
  if (summary.has_ensemble()) fields.push_back({"kept", EnsembleLine(summary.ensemble())});
  session.output().Answer(
      summary, absl::StrCat("rms velocity |n grad D^2| ", FormatNumber(summary.rms_velocity()),
                            " (", HowText(summary), ")\n", FormatFields(fields)));
  for (const std::string& note : summary.notes()) session.output().Note(note);
  return absl::OkStatus();
}

}  // namespace

void AddDiscrepancyCommands(CLI::App& app, Command& command) {
  AddCommand<DistanceOptions>(
      app, command, "distance",
      "Energy distance E = 2 E|X-Y|^r - E|X-X'|^r - E|Y-Y'|^r of two sets of particles",
      [](CLI::App& sub, DistanceOptions& options) {
        DeclarePair(sub, options);
        sub.add_option("--estimator", options.estimator,
                       "v (diagonal kept, never negative) or u (unbiased)")
            ->capture_default_str();
        sub.add_option("--error", options.relative_error,
                       "add slices until the slicing error is below this share of the value");
        sub.add_option("--absolute-error", options.absolute_error,
                       "the same in units of the value; the larger of the two counts");
        sub.add_option("--max-slices", options.max_slices,
                       "most slices that --error may take; default 65536");
      },
      RunDistance);
  AddCommand<GradientOptions>(
      app, command, "gradient", "Gradient of D^2 = E/2 with respect to the particles of X",
      [](CLI::App& sub, GradientOptions& options) {
        DeclarePair(sub, options);
        sub.add_option("--out", options.out, "Write it as .npy, (n, d) float32");
        sub.add_option("--keep-as", options.keep_as, "Keep it on the server as an ensemble");
      },
      RunGradient);
}

}  // namespace riesz::cli
