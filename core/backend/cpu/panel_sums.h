// Sums and squares over a panel of 32 particles, coordinate by coordinate. Vectorised for the
// processor at hand at run time.
//
// Thread safety: pure functions on the caller's memory.
#pragma once

#include <cstdint>

namespace riesz::cpu {

// squares[r] += sum_k panel[k * stride + r]^2 in double, k < depth, 32 particles r.
void AddPanelSquares(const float* panel, int64_t stride, int64_t depth, double* squares);

// total += sums, both (depth, 32); squares as above, of sums.
void AddPanel(const float* sums, int64_t depth, float* total, double* squares);

// The largest magnitude among `count` floats; infinite where one is not finite.
float LargestMagnitude(const float* values, int64_t count);

}  // namespace riesz::cpu
