// Fills in what a request left to the server: directions, seed, method. The result is a complete
// spec that is echoed to the caller.
//
// Thread safety: the functions are pure, but for RandomSeed.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "core/backend/backend.h"
#include "core/engine/requests.h"

namespace riesz {

inline constexpr int64_t kDefaultValueSlices = 1000;  // of distances and gradients
inline constexpr int64_t kDefaultFlowSlices = 500;

// A seed for a request without one: 53 random bits, so that JSON numbers hold it exactly.
uint64_t RandomSeed();

// Low-discrepancy for dim = 2, else orthogonal; `default_count` slices; a random seed. In one
// dimension there is one slice. INVALID_ARGUMENT for a count outside [0, kMaxSlices], named
// `field`.count.
absl::StatusOr<DirectionSpec> PlanDirections(const DirectionRequest& request, int64_t dim,
                                             int64_t default_count, std::string_view field);

// Complete and valid for x and y, or INVALID_ARGUMENT. `auto` is exact where the backend predicts
// it to be no slower or slicing does not take the exponent, else sliced.
absl::StatusOr<EnergyDistanceSpec> PlanEnergyDistance(const Backend& backend,
                                                      const EnergyDistanceRequest& request,
                                                      const ResolvedShape& x,
                                                      const ResolvedShape& y);
absl::StatusOr<GradientSpec> PlanGradient(const Backend& backend, const GradientRequest& request,
                                          const ResolvedShape& x, const ResolvedShape& y);
absl::StatusOr<FlowSpec> PlanFlow(const FlowParametersRequest& request, const ResolvedShape& start,
                                  const ResolvedShape& target);

}  // namespace riesz
