// How many slices an error target takes: rounds of independent directions, added until the standard
// error of all together is small enough or the budget is spent.
//
// Why rounds: the error per slice depends on the particles (by a factor of 40 between a change of
// scale and one coordinate's variance), so it is measured first. Stopping when the estimated error
// is small favours estimates that came out small: with a first round of four blocks the true error
// exceeds the target by up to a fifth (a simulation with normal blocks).
//
// Thread safety: values and pure functions.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "core/discrepancy_spec.h"

namespace riesz {

inline constexpr int64_t kDefaultMaxTargetSlices = 65'536;
// Blocks of a first round, so that its error has three degrees of freedom.
inline constexpr int64_t kFirstRoundBlocks = 4;

// The standard error a caller can live with: max(absolute, relative * |value|), in units of the
// value.
struct ErrorTarget {
  double absolute = 0;
  double relative = 0;
  int64_t max_slices = kDefaultMaxTargetSlices;

  double For(double value) const;
};

// INVALID_ARGUMENT naming <prefix>.absolute, .relative or .max_slices: neither error may be
// negative, one must be positive, max_slices in [1, kMaxSlices].
absl::Status Validate(const ErrorTarget& target, std::string_view prefix);

// Adds a round: the mean over all slices, and its error from those of the rounds. Absent where one
// has none.
EnergyDistance CombineRounds(const EnergyDistance& before, const EnergyDistance& round);

// Slices of the first round in R^dim.
int64_t FirstRoundSlices(const ErrorTarget& target, DirectionKind kind, int64_t dim);
// Slices that are still missing after `all`, by its error: a whole number of blocks, at most three
// times what there is, 0 when the target is met, the value is not finite, or what is left of the
// budget makes no round of two blocks.
int64_t NextRoundSlices(const ErrorTarget& target, const EnergyDistance& all, DirectionKind kind,
                        int64_t dim);

}  // namespace riesz
