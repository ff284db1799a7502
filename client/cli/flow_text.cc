#include "client/cli/flow_text.h"

#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "client/cli/directions.h"
#include "client/cli/ensemble_text.h"
#include "client/cli/format.h"

namespace riesz::cli {
namespace {

std::string FrozenText(const v1::FlowParameters& parameters) {
  std::string out;
  for (const v1::CoordinateRange& range : parameters.frozen()) {
    absl::StrAppend(&out, out.empty() ? "" : ", ", range.begin(), ":", range.end());
  }
  return out;
}

}  // namespace

std::string StateName(v1::FlowState state) {
  const std::string name = v1::FlowState_Name(state);
  return std::string(absl::StripPrefix(name, "FLOW_STATE_"));
}

std::string MeasurementText(const v1::Flow& flow) {
  if (!flow.has_measurement()) return "";
  const v1::FlowMeasurement& measured = flow.measurement();
  return absl::StrCat("energy distance ",
                      FormatWithError(measured.energy_distance(),
                                      measured.has_slicing_standard_error()
                                          ? std::optional(measured.slicing_standard_error())
                                          : std::nullopt));
}

std::string FlowLine(const v1::Flow& flow) {
  std::string out = absl::StrCat("flow '", flow.id(), "': ", StateName(flow.state()), " at step ",
                                 flow.step(), " of ", flow.target_step());
  if (flow.has_measurement()) {
    absl::StrAppend(&out, ", ", MeasurementText(flow), " at step ", flow.measurement().step());
  }
  if (!flow.error().empty()) absl::StrAppend(&out, ": ", flow.error());
  return out;
}

std::string FlowText(const v1::Flow& flow) {
  const v1::FlowParameters& parameters = flow.parameters();
  return FormatFields({
      {"flow", flow.id()},
      {"state", StateName(flow.state())},
      {"error", flow.error()},
      {"step", absl::StrCat(flow.step(), " of ", flow.target_step())},
      {"measured", flow.has_measurement()
                       ? absl::StrCat(MeasurementText(flow), " (slicing), rms velocity ",
                                      FormatNumber(flow.measurement().rms_velocity()), ", step ",
                                      flow.measurement().step())
                       : ""},
      {"speed", flow.steps_per_second() > 0
                    ? absl::StrCat(FormatNumber(flow.steps_per_second()), " steps/s")
                    : ""},
      {"particles", FormatShape(flow.count(), flow.dimension())},
      {"image", flow.has_sample_shape() ? ShapeText(flow.sample_shape()) : ""},
      {"from", flow.start()},
      {"target", absl::StrCat("ensemble ", flow.target())},
      {"step size", FormatNumber(parameters.step_size())},
      {"momentum", FormatNumber(parameters.momentum())},
      {"exponent", FormatNumber(parameters.exponent())},
      {"directions",
       DirectionsText(parameters.directions(), parameters.directions().count()) + ", each step"},
      {"frozen", FrozenText(parameters)},
      {"measured every", absl::StrCat(parameters.measure_every(), " steps")},
      {"size",
       absl::StrCat(FormatBytes(static_cast<double>(flow.size_bytes())), " on ", flow.device())},
      {"fingerprint", flow.determinism_fingerprint()},
      {"notes", absl::StrJoin(flow.notes(), "; ")},
      {"created", FormatTime(flow.create_time().seconds())},
      {"updated", FormatTime(flow.update_time().seconds())},
  });
}

std::string FlowTable(const v1::ListFlowsResponse& list) {
  if (list.flows().empty()) return "no flows\n";
  Table table({"FLOW", "STATE", "STEP", "OF", "COUNT", "DIM", "TARGET", "MEASURED"});
  for (const v1::Flow& flow : list.flows()) {
    table.AddRow({flow.id(), StateName(flow.state()), absl::StrCat(flow.step()),
                  absl::StrCat(flow.target_step()), absl::StrCat(flow.count()),
                  absl::StrCat(flow.dimension()), flow.target(), MeasurementText(flow)});
  }
  return table.Text();
}

}  // namespace riesz::cli
