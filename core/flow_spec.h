// The parameters of an MMD gradient flow: values without behaviour.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/directions.h"

namespace riesz {

// Coordinates [begin, end).
struct CoordinateRange {
  int64_t begin = 0;
  int64_t end = 0;
};

// One step, with fresh directions keyed by (directions.seed, step):
//   v <- grad D^2(x | y) + momentum * v,   x <- x - step_size * n * v
// (Hertrich et al., ICLR 2024; n = number of particles). Sliced.
struct FlowSpec {
  double step_size = 1;  // tau, in (0, 10]; not scaled with the dimension
  double momentum = 0;   // in [0, 1)
  double exponent = 1;   // of the kernel, 1/2 < r < 2
  DirectionSpec directions{.kind = DirectionKind::kOrthogonal, .count = 500, .seed = 0};
  // Coordinates that never move (conditional flows): their gradient is set to 0. Sorted, disjoint.
  std::vector<CoordinateRange> frozen;
};

// What a step measured on its way, on the particles as they were before it moved them and along its
// own directions.
struct StepMeasurement {
  int64_t step = 0;            // the particles measured are those after this many steps
  double energy_distance = 0;  // sliced V-estimate
  std::optional<double> slicing_standard_error;  // absent when a single block was drawn
  double rms_velocity = 0;                       // of n grad D^2, without momentum
};

// A flow's whole mutable state on the host: enough to go on elsewhere.
struct FlowState {
  int64_t step = 0;              // completed steps
  std::vector<float> particles;  // (n, d) row-major
  std::vector<float> velocity;   // (n, d) row-major
};

}  // namespace riesz
