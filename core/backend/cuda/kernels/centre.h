// Launches that bring ensembles near the origin and near 1, where float32 keeps its digits.
//
// Every launcher queues its work and returns; shapes are in elements, pointers on the device.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "core/backend/cuda/device.h"

namespace riesz::cuda {

// centre (d) <- per coordinate the median of up to 63 evenly spaced rows of y (m, d).
absl::Status FindCentre(Device& device, const float* y, int64_t m, int64_t d, float* centre);

// most (1) <- max(most, bits of |x|) over x (size); the bits of non-negative floats are ordered as
// the floats are. Clear it first.
absl::Status FindLargest(Device& device, const float* x, int64_t size, unsigned* most);

// The power of two that brings the float with these bits near 1; 1 where there is none.
float ScaleFor(unsigned most_bits);

// out (n, d) <- (x - centre) * scale, rounded twice.
absl::Status CentreRows(Device& device, const float* x, int64_t n, int64_t d, const float* centre,
                        float scale, float* out);

}  // namespace riesz::cuda
