// Directions of an iid spec, drawn on the device: the floats of core/directions, bit for bit.
//
// core/random and core/directions fix the sequence of operations, none of them fused; nvcc is told
// not to fuse either (-fmad=false), and IEEE arithmetic does the rest. Orthogonal directions come
// from the host: their QR has no such sequence.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "core/backend/cuda/device.h"
#include "core/directions.h"

namespace riesz::cuda {

// out (count, dim) <- slices [first, first + count) of the spec at `step`. Requires dim > 1.
absl::Status DrawIidDirections(Device& device, const DirectionSpec& spec, int64_t dim,
                               uint64_t step, int64_t first, int64_t count, float* out);

}  // namespace riesz::cuda
