// Float32 operands cut into bfloat16 pieces and laid out as tiles for the matrix unit
// (matrix_unit.h).
//
// x = leading + middle + trailing: each piece is what is left, rounded to 8 significant bits, to
// nearest even. The remainders are exact in float32, and so is the sum, for |x| between 1e-30 and
// 1e38.
//
// Thread safety: pure functions on the caller's memory.
#pragma once

#include <cstdint>

#include "core/backend/cpu/matrix_unit.h"

namespace riesz::cpu {

// Whether kernels are dispatched to AVX-512. (Highway's SupportedTargets asks the processor at
// every call, which a hypervisor answers in microseconds.)
bool RunsAvx512();

// A panel of 32 particles times `scale`, element (k, r) at panel[k * row_stride + r], k < depth, to
// panel tiles, zero-padded. `tiles` (PanelTileNumbers(depth)).
void SplitPanel(const float* panel, int64_t row_stride, int64_t depth, float scale,
                Bfloat16* tiles);

// The panel's particles as rows of the left operand: two row tiles, `row_numbers` apart, of
// (DepthTiles(depth)) tiles of kSplitPieces each. `panel_tiles` is the panel split.
void RowTilesOfPanel(const Bfloat16* panel_tiles, int64_t depth, int64_t row_numbers,
                     Bfloat16* tiles);

// The panel's coordinates as rows, its particles as one depth tile: element (k, r) at panel[k * 32
// + r], k < dim, to tile k / 16, kSplitPieces each, `row_numbers` apart. Zero-padded to
// RowTiles(dim).
void SplitCoordinates(const float* panel, int64_t dim, int64_t row_numbers, Bfloat16* tiles);

// Rows of numbers that are bfloat16 already, element (i, k) at rows[i * stride + k], i < count <=
// 16, k < depth, to depth tiles [first, first + DepthTiles(depth)) of one row of tiles,
// zero-padded. `tiles` is that row's beginning.
void PackRowTiles(const float* rows, int64_t stride, int64_t count, int64_t depth,
                  int64_t first_tile, Bfloat16* tiles);
// The same of columns: element (i, k) at columns[k * stride + i].
void PackColumnTiles(const float* columns, int64_t stride, int64_t count, int64_t depth,
                     int64_t first_tile, Bfloat16* tiles);

}  // namespace riesz::cpu
