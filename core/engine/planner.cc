#include "core/engine/planner.h"

#include <random>
#include <string>

#include "core/error.h"
#include "core/status_macros.h"
#include "core/validate.h"

namespace riesz {
namespace {

// Shared by values and gradients, whose requests and specs have the same fields here.
template <typename Spec, typename Request>
absl::Status FillMethod(const Backend& backend, const Request& request, const ResolvedShape& x,
                        const ResolvedShape& y, Spec& spec) {
  spec.exponent = request.exponent;
  RIESZ_ASSIGN_OR_RETURN(spec.directions, PlanDirections(request.directions, x.dim,
                                                         kDefaultValueSlices, "directions"));
  switch (request.method) {
    case MethodChoice::kExact:
      spec.method = Method::kExact;
      return absl::OkStatus();
    case MethodChoice::kSliced:
      spec.method = Method::kSliced;
      return absl::OkStatus();
    case MethodChoice::kAuto:
      break;
  }
  spec.method = Method::kExact;
  // Nothing is predicted for what cannot be sliced. Operands that do not fit are refused below.
  Spec sliced = spec;
  sliced.method = Method::kSliced;
  if (!Validate(sliced, x.count, y.count, x.dim, y.dim).ok()) return absl::OkStatus();
  const ProblemShape shape{.n = x.count, .m = y.count, .d = x.dim};
  const double exact_seconds = backend.Estimate(shape, spec).seconds;
  if (backend.Estimate(shape, sliced).seconds < exact_seconds) spec.method = Method::kSliced;
  return absl::OkStatus();
}

}  // namespace

uint64_t RandomSeed() {
  std::random_device device;
  return ((uint64_t{device()} << 32) | device()) >> 11;
}

absl::StatusOr<DirectionSpec> PlanDirections(const DirectionRequest& request, int64_t dim,
                                             int64_t default_count, std::string_view field) {
  if (request.count < 0 || request.count > kMaxSlices) {
    return InvalidField(std::string(field) + ".count", "in [0, 1048576]",
                        std::to_string(request.count));
  }
  const DirectionKind natural =
      dim == 2 ? DirectionKind::kLowDiscrepancy : DirectionKind::kOrthogonal;
  DirectionSpec spec;
  spec.kind = request.kind.value_or(natural);
  spec.count = request.count == 0 ? default_count : request.count;
  if (dim == 1) spec.count = 1;
  spec.seed = request.seed.has_value() ? *request.seed : RandomSeed();
  return spec;
}

absl::StatusOr<EnergyDistanceSpec> PlanEnergyDistance(const Backend& backend,
                                                      const EnergyDistanceRequest& request,
                                                      const ResolvedShape& x,
                                                      const ResolvedShape& y) {
  EnergyDistanceSpec spec;
  spec.estimator = request.estimator;
  if (!request.error_target) {
    RIESZ_RETURN_IF_ERROR(FillMethod(backend, request, x, y, spec));
  } else {
    RIESZ_RETURN_IF_ERROR(Validate(*request.error_target, "error_target"));
    if (request.directions.count != 0) {
      return InvalidField("directions.count", "0 with error_target, which finds it",
                          std::to_string(request.directions.count));
    }
    EnergyDistanceRequest first = request;
    RIESZ_ASSIGN_OR_RETURN(const DirectionSpec chosen,
                           PlanDirections(request.directions, x.dim, 1, "directions"));
    first.directions.seed = chosen.seed;
    first.directions.count = FirstRoundSlices(*request.error_target, chosen.kind, x.dim);
    RIESZ_RETURN_IF_ERROR(FillMethod(backend, first, x, y, spec));
  }
  RIESZ_RETURN_IF_ERROR(Validate(spec, x.count, y.count, x.dim, y.dim));
  return spec;
}

absl::StatusOr<GradientSpec> PlanGradient(const Backend& backend, const GradientRequest& request,
                                          const ResolvedShape& x, const ResolvedShape& y) {
  GradientSpec spec;
  RIESZ_RETURN_IF_ERROR(FillMethod(backend, request, x, y, spec));
  RIESZ_RETURN_IF_ERROR(Validate(spec, x.count, y.count, x.dim, y.dim));
  return spec;
}

absl::StatusOr<FlowSpec> PlanFlow(const FlowParametersRequest& request, const ResolvedShape& start,
                                  const ResolvedShape& target) {
  FlowSpec spec;
  spec.step_size = request.step_size;
  spec.momentum = request.momentum;
  spec.exponent = request.exponent;
  spec.frozen = request.frozen;
  RIESZ_ASSIGN_OR_RETURN(spec.directions, PlanDirections(request.directions, start.dim,
                                                         kDefaultFlowSlices, "flow.directions"));
  if (request.measure_every < 1 || request.measure_every > 1'000'000) {
    return InvalidField("flow.measure_every", "in [1, 1000000]",
                        std::to_string(request.measure_every));
  }
  RIESZ_RETURN_IF_ERROR(Validate(spec, start.count, target.count, start.dim, target.dim));
  return spec;
}

}  // namespace riesz
