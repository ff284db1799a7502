// Products on the processor's matrix unit (Intel AMX), which multiplies tiles of bfloat16 and sums
// in float32, 16 times as fast as float32 fused multiply-adds.
//
// Why that is no loss of precision: a float32 is the sum of three bfloat16 numbers, its leading,
// middle and trailing 8 bits (split.h). From R^32 on directions are bfloat16 numbers
// (core/directions.h), so three products give what float32 would; two split operands take the six
// products that matter, and leave out what is below 2^-24. Sums run in float32, as everywhere.
// The unit takes denormals for 0, so that operands are scaled near 1 first.
//
// Operands lie in tiles of 16 x 32 numbers, 1 KiB each:
// - Row tiles hold rows of the left operand: number (i, k) in tile (i / 16, k / 32), row by row.
// The
//   tiles of 16 rows follow each other along k, the pieces of a split operand side by side.
// - Panel tiles hold a panel's 32 particles in two halves of 16: for every k / 32, piece and half,
//   16 rows of pairs (k even, k odd), a pair a particle.
// What pads a tile must be zero on the left and finite on the right.
//
// Thread safety: pure functions on the caller's memory.
#pragma once

#include <cstdint>

namespace riesz::cpu {

using Bfloat16 = uint16_t;  // the upper half of a float32

inline constexpr int64_t kTileSide = 16;
inline constexpr int64_t kTileDepth = 32;
inline constexpr int64_t kTileNumbers = kTileSide * kTileDepth;
inline constexpr int kSplitPieces = 3;

inline int64_t DepthTiles(int64_t depth) { return (depth + kTileDepth - 1) / kTileDepth; }
// Rows of tiles for `rows` rows: pairs of them, since the product takes two at a time.
inline int64_t RowTiles(int64_t rows) { return (rows + 2 * kTileSide - 1) / (2 * kTileSide) * 2; }
// Numbers of a split panel, (depth, 32).
inline int64_t PanelTileNumbers(int64_t depth) {
  return DepthTiles(depth) * kSplitPieces * 2 * kTileNumbers;
}

// Whether this process may use a matrix unit: the processor has one for bfloat16, the system grants
// it, and kernels are dispatched to AVX-512. The first call asks the system, for all threads.
bool MatrixUnitAvailable();
// Whether this process would use one that it has; it does unless told. For tests of what processors
// without one run: no operation may exist while it changes.
void AllowMatrixUnit(bool allow);

// out[i * out_stride + r] (+)= sum over depth tiles first <= t < end of row (i, t) times the
// panel's (t, r), for rows 0 <= i < rows and 32 particles r.
struct TileProduct {
  const Bfloat16* row_tiles = nullptr;  // (RowTiles(rows), depth_tiles) tiles, pieces each
  int pieces = 1;                       // of the left operand: 1, or kSplitPieces
  int64_t rows = 0;
  int64_t depth_tiles = 0;
  const Bfloat16* panel_tiles = nullptr;  // (depth_tiles) * 3 pieces * 2 halves
  int64_t first_tile = 0;
  int64_t end_tile = 0;
  float* out = nullptr;
  int64_t out_stride = 0;  // floats
  bool accumulate = false;
};
// Requires MatrixUnitAvailable().
void MultiplyTiles(const TileProduct& product);

}  // namespace riesz::cpu
