// What ends a gradient or a flow step: from sums over slices or pairs to what callers see.
//
// Reductions go to ReductionSlots(size) partial sums of fixed shares of the elements, which the
// host adds in their order.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "core/backend/cuda/device.h"

namespace riesz::cuda {

// Of so many elements; at most 512.
int64_t ReductionSlots(int64_t size);

// values (size) *= scale; squares (slots) <- partial sums of the squares before that.
absl::Status ScaleAndSquare(Device& device, float* values, int64_t size, float scale,
                            double* squares);

struct FlowUpdate {
  int64_t size = 0, dim = 0;              // n d, d
  float* velocity = nullptr;              // (n, d) in: sums over slices; out: the new velocity
  const float* old_velocity = nullptr;    // (n, d)
  const float* particles = nullptr;       // (n, d)
  const unsigned char* frozen = nullptr;  // (d) 1 where a coordinate never moves
  float* next = nullptr;                  // (n, d) the new particles
  float scale = 0;                        // of the sums: the gradient is scale * sums
  float momentum = 0;
  float stride = 0;  // tau n
};
// v <- scale * sums + momentum * old (0 where frozen), next <- x - stride * v, each operation
// rounded. squares (slots) <- partial sums of (sums)^2 where not frozen; *non_finite <- 1
// if a v or a next is not finite (clear it first).
absl::Status UpdateFlow(Device& device, const FlowUpdate& update, double* squares,
                        unsigned* non_finite);

// high (size) <- values rounded towards 0 to TF32 (10 bits of fraction), low <- values - high,
// which is exact. high may be values.
absl::Status SplitTf32(Device& device, const float* values, int64_t size, float* high, float* low);

}  // namespace riesz::cuda
