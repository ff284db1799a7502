#include "core/validate.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "core/error.h"
#include "core/status_macros.h"

namespace riesz {
namespace {

std::string Field(std::string_view prefix, std::string_view name) {
  std::string field(prefix);
  if (!field.empty()) field += '.';
  return field.append(name);
}

absl::Status IntegerInRange(std::string_view prefix, std::string_view name, int64_t value,
                            int64_t least, int64_t most) {
  if (least <= value && value <= most) return absl::OkStatus();
  return InvalidField(Field(prefix, name), absl::StrCat("in [", least, ", ", most, "]"),
                      absl::StrCat(value));
}

absl::Status ValidateOperands(int64_t n, int64_t m, int64_t x_dim, int64_t y_dim,
                              std::string_view x, std::string_view y) {
  RIESZ_RETURN_IF_ERROR(ValidateShape(n, x_dim, x));
  RIESZ_RETURN_IF_ERROR(ValidateShape(m, y_dim, y));
  if (x_dim == y_dim) return absl::OkStatus();
  return InvalidField(Field(y, "dimension"),
                      absl::StrCat(x_dim, " as ", Field(x, "dimension").c_str(), " is"),
                      absl::StrCat(y_dim));
}

absl::Status ValidateMethod(Method method, double exponent, const DirectionSpec& directions,
                            int64_t dim) {
  RIESZ_RETURN_IF_ERROR(ValidateExponent(exponent, ""));
  return method == Method::kExact ? absl::OkStatus() : ValidateDirections(directions, dim, "");
}

// h^2 behaves as |t|^(2r-2) at t = 0, where projections of different points are as likely as
// elsewhere.
absl::Status ValidateSlicedGradient(double exponent, std::string_view prefix,
                                    std::string_view resort) {
  RIESZ_RETURN_IF_ERROR(ValidateExponent(exponent, prefix));
  if (exponent > 0.5) return absl::OkStatus();
  return InvalidField(Field(prefix, "exponent"),
                      absl::StrCat("in (0.5, 2) for sliced gradients, whose variance is infinite "
                                   "at or below 0.5",
                                   std::string(resort)),
                      absl::StrCat(exponent));
}

absl::Status ValidateFrozen(const std::vector<CoordinateRange>& frozen, int64_t dim) {
  if (static_cast<int64_t>(frozen.size()) > kMaxFrozenRanges) {
    return InvalidField("flow.frozen", absl::StrCat("at most ", kMaxFrozenRanges, " ranges"),
                        absl::StrCat(frozen.size()));
  }
  int64_t least = 0;
  for (size_t i = 0; i < frozen.size(); ++i) {
    const auto& [begin, end] = frozen[i];
    if (least <= begin && begin < end && end <= dim) {
      least = end;
      continue;
    }
    return InvalidField(
        absl::StrCat("flow.frozen[", i, "]"),
        absl::StrCat("a range with ", least, " <= begin < end <= ", dim, " (sorted, disjoint)"),
        absl::StrCat("[", begin, ", ", end, ")"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidateShape(int64_t count, int64_t dim, std::string_view prefix) {
  RIESZ_RETURN_IF_ERROR(IntegerInRange(prefix, "count", count, 1, kMaxCount));
  RIESZ_RETURN_IF_ERROR(IntegerInRange(prefix, "dimension", dim, 1, kMaxDim));
  // count * dim <= 2^50 cannot overflow here.
  if (count * dim <= kMaxElements) return absl::OkStatus();
  return InvalidField(Field(prefix, "count"),
                      absl::StrCat("at most ", kMaxElements / dim, " at dimension ", dim),
                      absl::StrCat(count));
}

absl::Status ValidateExponent(double exponent, std::string_view prefix) {
  if (exponent > 0 && exponent < 2) return absl::OkStatus();
  return InvalidField(Field(prefix, "exponent"), "in (0, 2)", absl::StrCat(exponent));
}

absl::Status ValidateDirections(const DirectionSpec& spec, int64_t dim, std::string_view prefix) {
  RIESZ_RETURN_IF_ERROR(IntegerInRange(prefix, "directions.count", spec.count, 1, kMaxSlices));
  if (spec.kind == DirectionKind::kLowDiscrepancy && dim > kMaxLowDiscrepancyDim) {
    return InvalidField(Field(prefix, "directions.kind"),
                        absl::StrCat("a kind that serves dimension ", dim),
                        absl::StrCat("low-discrepancy (at most ", kMaxLowDiscrepancyDim, ")"));
  }
  if (spec.kind == DirectionKind::kStructured && dim > 1 && dim < kMinStructuredDim) {
    return InvalidField(Field(prefix, "directions.kind"),
                        absl::StrCat("a kind that serves dimension ", dim),
                        absl::StrCat("structured (at least ", kMinStructuredDim, ")"));
  }
  return absl::OkStatus();
}

absl::Status Validate(const EnergyDistanceSpec& spec, int64_t n, int64_t m, int64_t x_dim,
                      int64_t y_dim) {
  RIESZ_RETURN_IF_ERROR(ValidateOperands(n, m, x_dim, y_dim, "x", "y"));
  RIESZ_RETURN_IF_ERROR(ValidateMethod(spec.method, spec.exponent, spec.directions, x_dim));
  if (spec.estimator == Estimator::kV || (n >= 2 && m >= 2)) return absl::OkStatus();
  return InvalidField(n < 2 ? "x.count" : "y.count", "at least 2 for the U-statistic",
                      absl::StrCat(n < 2 ? n : m));
}

absl::Status Validate(const GradientSpec& spec, int64_t n, int64_t m, int64_t x_dim,
                      int64_t y_dim) {
  RIESZ_RETURN_IF_ERROR(ValidateOperands(n, m, x_dim, y_dim, "x", "y"));
  if (spec.method == Method::kSliced) {
    RIESZ_RETURN_IF_ERROR(
        ValidateSlicedGradient(spec.exponent, "", " (exact ones take any in (0, 2))"));
  }
  return ValidateMethod(spec.method, spec.exponent, spec.directions, x_dim);
}

absl::Status Validate(const FlowSpec& spec, int64_t n, int64_t m, int64_t x_dim, int64_t y_dim) {
  RIESZ_RETURN_IF_ERROR(ValidateOperands(n, m, x_dim, y_dim, "start", "target"));
  if (!(spec.step_size > 0 && spec.step_size <= kMaxStepSize)) {
    return InvalidField("flow.step_size", absl::StrCat("in (0, ", kMaxStepSize, "]"),
                        absl::StrCat(spec.step_size));
  }
  if (!(spec.momentum >= 0 && spec.momentum < 1)) {
    return InvalidField("flow.momentum", "in [0, 1)", absl::StrCat(spec.momentum));
  }
  RIESZ_RETURN_IF_ERROR(ValidateSlicedGradient(spec.exponent, "flow", ""));
  RIESZ_RETURN_IF_ERROR(ValidateDirections(spec.directions, x_dim, "flow"));
  return ValidateFrozen(spec.frozen, x_dim);
}

}  // namespace riesz
