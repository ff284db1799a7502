// Argument checks shared by every caller: one place, one wording.
//
// Each returns INVALID_ARGUMENT naming the field (as in the API, e.g. "flow.step_size"), the value
// and the allowed range, or OK: "flow.step_size must be in (0, 10], got -1". A `prefix` such as
// "flow" names the message that the field stands in; empty where it stands in none.
//
// Thread safety: the functions are pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "core/discrepancy_spec.h"
#include "core/flow_spec.h"

namespace riesz {

// Named bounds of the service. A request beyond them is refused before anything is reserved.
inline constexpr int64_t kMaxCount = int64_t{1} << 30;     // particles of one ensemble
inline constexpr int64_t kMaxDim = int64_t{1} << 20;       // coordinates
inline constexpr int64_t kMaxElements = int64_t{1} << 40;  // count * dimension
inline constexpr int64_t kMaxSlices = int64_t{1} << 20;    // P
inline constexpr int64_t kMaxFrozenRanges = 1024;          // every state of a flow repeats them
inline constexpr double kMaxStepSize = 10;                 // tau

// Checks <prefix>.count and <prefix>.dimension.
absl::Status ValidateShape(int64_t count, int64_t dim, std::string_view prefix);
// Checks <prefix>.exponent: 0 < r < 2.
absl::Status ValidateExponent(double exponent, std::string_view prefix);
// Checks <prefix>.directions.count, and that <prefix>.directions.kind serves `dim`.
absl::Status ValidateDirections(const DirectionSpec& spec, int64_t dim, std::string_view prefix);
// Spec against the operands' shapes, x (n, x_dim) and y (m, y_dim): dimensions agree, neither is
// empty, U has at least two particles a side, sliced gradients have an exponent above 1/2.
absl::Status Validate(const EnergyDistanceSpec& spec, int64_t n, int64_t m, int64_t x_dim,
                      int64_t y_dim);
absl::Status Validate(const GradientSpec& spec, int64_t n, int64_t m, int64_t x_dim, int64_t y_dim);
// x is the flow's start, y its target. Fields are named with the prefix "flow".
absl::Status Validate(const FlowSpec& spec, int64_t n, int64_t m, int64_t x_dim, int64_t y_dim);

}  // namespace riesz
