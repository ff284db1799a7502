#include "core/engine/error_target.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"
#include "core/validate.h"

namespace riesz {
namespace {

// Slices come in multiples of this: whole blocks, so that two of them have an error.
int64_t Unit(DirectionKind kind, int64_t dim) {
  constexpr int64_t kIidUnit = 64;  // each slice is a block, and fewer are not worth a round
  switch (kind) {
    case DirectionKind::kIid:
      return kIidUnit;
    case DirectionKind::kLowDiscrepancy:
      return kLowDiscrepancyBlocks * dim;  // a spec makes its blocks of whatever count it has
    default:
      return MaxBlockRows({.kind = kind, .count = kMaxSlices}, dim);
  }
}

int64_t RoundUp(int64_t slices, int64_t unit) { return (slices + unit - 1) / unit * unit; }

}  // namespace

double ErrorTarget::For(double value) const {
  return std::max(absolute, relative * std::abs(value));
}

absl::Status Validate(const ErrorTarget& target, std::string_view prefix) {
  const std::string name(prefix);
  for (const auto& [field, error] :
       {std::pair(".absolute", target.absolute), std::pair(".relative", target.relative)}) {
    if (!std::isfinite(error) || error < 0) {
      return InvalidField(name + field, "a finite number, at least 0", std::to_string(error));
    }
  }
  if (target.absolute == 0 && target.relative == 0) {
    return InvalidField(name, "positive in absolute or relative", "0 in both");
  }
  if (target.max_slices < 1 || target.max_slices > kMaxSlices) {
    return InvalidField(name + ".max_slices", "in [1, " + std::to_string(kMaxSlices) + "]",
                        std::to_string(target.max_slices));
  }
  return absl::OkStatus();
}

EnergyDistance CombineRounds(const EnergyDistance& before, const EnergyDistance& round) {
  const auto p = static_cast<double>(before.slices);
  const auto q = static_cast<double>(round.slices);
  EnergyDistance all;
  all.slices = before.slices + round.slices;
  all.blocks = before.blocks + round.blocks;
  all.energy_distance = (p * before.energy_distance + q * round.energy_distance) / (p + q);
  if (before.slicing_standard_error && round.slicing_standard_error) {
    all.slicing_standard_error =
        std::hypot(p * *before.slicing_standard_error, q * *round.slicing_standard_error) / (p + q);
  }
  return all;
}

int64_t FirstRoundSlices(const ErrorTarget& target, DirectionKind kind, int64_t dim) {
  constexpr int64_t kLeast = 256;  // less is spent on getting there than on the slices
  const int64_t unit = Unit(kind, dim);
  return std::min(target.max_slices, std::max(kFirstRoundBlocks * unit, RoundUp(kLeast, unit)));
}

int64_t NextRoundSlices(const ErrorTarget& target, const EnergyDistance& all, DirectionKind kind,
                        int64_t dim) {
  if (!all.slicing_standard_error || !std::isfinite(*all.slicing_standard_error) ||
      !std::isfinite(all.energy_distance)) {
    return 0;
  }
  const double wanted = target.For(all.energy_distance);
  if (*all.slicing_standard_error <= wanted) return 0;
  const int64_t unit = Unit(kind, dim);
  const int64_t budget = (target.max_slices - all.slices) / unit * unit;
  // The error falls with the root of the slices; a tenth more, so that a round is rarely one short.
  const double ratio = wanted > 0 ? *all.slicing_standard_error / wanted : HUGE_VAL;
  const double missing = static_cast<double>(all.slices) * (1.1 * ratio * ratio - 1);
  const double growth = 3 * static_cast<double>(all.slices);
  const auto slices = static_cast<int64_t>(std::ceil(std::min(missing, growth)));
  const int64_t round = std::max(RoundUp(slices, unit), 2 * unit);
  return budget < 2 * unit ? 0 : std::min(round, budget);
}

}  // namespace riesz
