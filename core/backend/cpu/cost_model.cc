#include "core/backend/cpu/cost_model.h"

#include <algorithm>
#include <cmath>

#include "core/backend/cpu/exact_operations.h"
#include "core/backend/cpu/exact_pass.h"
#include "core/backend/cpu/flow_stepper.h"
#include "core/backend/cpu/slice_products.h"
#include "core/backend/cpu/sliced_operations.h"
#include "core/backend/cpu/tile_plan.h"

namespace riesz::cpu {

namespace {

constexpr double kProductFlops = 100e9;     // a thread's second
constexpr double kSlicedTileFlops = 450e9;  // likewise, on the matrix unit
constexpr double kExactTileFlops = 250e9;
constexpr double kSortedPointSeconds = 5e-9;  // one projection through the 1-D stage
// Where r != 1.
constexpr double kPowerValueSeconds = 33e-9;
constexpr double kPowerVelocitySeconds = 45e-9;
constexpr double kPairSeconds = 0.3e-9;  // root and sum of one pair
constexpr double kNormalSeconds = 4e-9;  // one coordinate of a direction, structured too

double Threads(const ThreadPool& pool) { return pool.threads(); }

double SlicedSeconds(const ProblemShape& shape, double exponent, const DirectionSpec& spec,
                     bool gradient) {
  const auto d = static_cast<double>(shape.d);
  // Particles projected, and back.
  const auto projections = static_cast<double>((gradient ? 2 : 1) * shape.n + shape.m);
  const auto p = static_cast<double>(SliceCount(spec, shape.d));
  const double products =
      2 * projections * d * p / (TiledProducts::Serves(shape.d) ? kSlicedTileFlops : kProductFlops);
  const double ranks = static_cast<double>(shape.n + shape.m) * p *
                       (exponent == 1 ? kSortedPointSeconds
                                      : (gradient ? kPowerVelocitySeconds : kPowerValueSeconds));
  // Orthonormal rows take 4 flops in double a pair of rows and coordinate, at half the speed.
  const auto rows = static_cast<double>(MaxBlockRows(spec, shape.d));
  const double draws = spec.kind == DirectionKind::kOrthogonal
                           ? p * d * (kNormalSeconds + 8 * rows / kProductFlops)
                           : p * d * kNormalSeconds;
  const double copies = CopySeconds((shape.n + shape.m) * shape.d);
  return products + ranks + draws + copies;
}

double ExactSeconds(const ProblemShape& shape, bool gradient) {
  const auto n = static_cast<double>(shape.n);
  const auto m = static_cast<double>(shape.m);
  const auto d = static_cast<double>(shape.d);
  const double pairs = gradient ? n * m + n * n / 2 : n * m + n * n / 2 + m * m / 2;
  const double products = gradient ? 4 * n * m + 3 * n * n : 2 * pairs;
  return products * d / (UsesMatrixUnit(shape.d) ? kExactTileFlops : kProductFlops) +
         pairs * kPairSeconds + CopySeconds((shape.n + shape.m) * shape.d);
}

int64_t Chunks(const ThreadPool& pool, double thread_seconds) {
  return 1 + static_cast<int64_t>(std::ceil(thread_seconds / (kChunkSeconds * Threads(pool))));
}

}  // namespace

WorkEstimate EstimateWork(const ThreadPool& pool, const ProblemShape& shape,
                          const EnergyDistanceSpec& spec) {
  const bool exact = spec.method == Method::kExact;
  const double seconds = exact ? ExactSeconds(shape, false)
                               : SlicedSeconds(shape, spec.exponent, spec.directions, false);
  return {.scratch_bytes = exact ? ExactEnergyDistance::Bytes(pool, shape)
                                 : SlicedEnergyDistance::Bytes(pool, shape, spec),
          .seconds = seconds / Threads(pool),
          .chunks = Chunks(pool, seconds)};
}

WorkEstimate EstimateWork(const ThreadPool& pool, const ProblemShape& shape,
                          const GradientSpec& spec) {
  const bool exact = spec.method == Method::kExact;
  const double seconds = exact ? ExactSeconds(shape, true)
                               : SlicedSeconds(shape, spec.exponent, spec.directions, true);
  return {.scratch_bytes =
              exact ? ExactGradient::Bytes(pool, shape) : SlicedGradient::Bytes(pool, shape, spec),
          .seconds = seconds / Threads(pool),
          .chunks = Chunks(pool, seconds)};
}

WorkEstimate EstimateWork(const ThreadPool& pool, const ProblemShape& shape, const FlowSpec& spec) {
  const double seconds = SlicedSeconds(shape, spec.exponent, spec.directions, true) +
                         2 * CopySeconds(shape.n * shape.d);
  return {.scratch_bytes = CpuFlowStepper::Bytes(pool, shape, spec),
          .seconds = seconds / Threads(pool),
          .chunks = Chunks(pool, seconds)};
}

}  // namespace riesz::cpu
