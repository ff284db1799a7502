// The products that everything expensive here is made of: panels times strips, panels times panels.
// Vectorised for the processor at hand at run time.
//
// Every element is one sum over depth in a fixed order, by fused multiply-adds where the processor
// has them: it depends neither on its place nor on the tile, nor on whether AVX2 or AVX-512
// computed it.
//
// Thread safety: pure functions on the caller's memory.
#pragma once

#include <cstdint>

#include "core/backend/cpu/panels.h"

namespace riesz::cpu {

// C_q[c][r] (+)= sum over first_depth <= k < end_depth of panel_q[k][r] * strips[k][c], for all
// panels and all columns.
struct StripProduct {
  const float* panels = nullptr;  // panel q at panels + q * panel_stride, (strip_depth, 32)
  int64_t panel_count = 0;
  int64_t panel_stride = 0;
  const float* strips = nullptr;  // as panels.h describes, (strip_depth, columns)
  int64_t strip_depth = 0;
  int64_t columns = 0;
  int64_t first_depth = 0;
  int64_t end_depth = 0;
  int64_t first_column = 0;  // a multiple of 12
  int64_t end_column = 0;    // a multiple of 12, or columns
  float* out = nullptr;      // element (q, c, r) at out + q * out_panel_stride + c * out_stride + r
  int64_t out_panel_stride = 0;
  int64_t out_stride = 0;
  bool accumulate = false;
};
void Multiply(const StripProduct& product);

// Inner products of all particles of one panel with all of others:
// out[(32 b + c)][r] = sum_k a[k][r] * b_panel[k][c], columns 0..b_panels * 32, (b_panels * 32,
// 32).
void InnerProducts(const float* a, const float* b, int64_t b_panels, int64_t dim, float* out);

// sums[k][r] += sum_{j < 32 * b_panels} weights[j][r] * b(j, k): particles of b weighed and summed,
// for the 32 particles of one panel. weights (32 * b_panels, 32), sums (dim, 32).
void WeightedSums(const float* weights, const float* b, int64_t b_panels, int64_t dim, float* sums);

}  // namespace riesz::cpu
