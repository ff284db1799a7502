// What happens to a tile of pairs between the two products of an exact calculation: inner products
// become distances or weights. Vectorised for the processor at hand at run time.
//
// A pair tile holds the pairs of one panel of particles i with whole panels of others j: element
// [j][r], 32 lanes r a row.
//
// Cancellation: |x|^2 + |y|^2 - 2<x, y> in float32 is wrong by about eps sqrt(d) (|x|^2 + |y|^2),
// some 1e-6 of the norms. Where the square is below kCloseShare = 1/32 of the norms, that would be
// more than 3e-5 of it, so every such pair is computed again as sum (x_k - y_k)^2, which does not
// cancel.
//
// Thread safety: pure functions on the caller's memory.
#pragma once

#include <cstdint>

namespace riesz::cpu {

inline constexpr float kCloseShare = 1.0f / 32;

// Up to this dimension differences are cheaper than products and never cancel.
inline constexpr int64_t kMaxDirectDim = 16;

enum class PairValue {
  kDistance,  // |x - y|^r
  kWeight,    // |x - y|^(r - 2), 0 where x = y: the gradient there is 0
};

struct PairTile {
  const float* a = nullptr;        // panel (dim, 32)
  const float* a_norms = nullptr;  // squared norms (32)
  int64_t a_rows = 0;              // particles in the panel; lanes beyond become 0
  const float* b = nullptr;        // panels (dim, 32) each
  const float* b_norms = nullptr;  // (b_rows rounded up to 32)
  int64_t b_rows = 0;              // rows beyond become 0
  int64_t dim = 0;
  // Lane r and row j with r + same_offset == j are one particle: exactly 0. Negative: none.
  int64_t same_offset = -1;
  float* pairs = nullptr;  // (b panels * 32, 32)
};

// tile.pairs holds inner products (dim > kMaxDirectDim) or nothing. Adds values times `scale` to
// sums (32), by particle of the panel: runs of 16 rows in float32, runs in double.
void SumPairs(const PairTile& tile, PairValue value, double exponent, float scale, double* sums);
// The same, and tile.pairs becomes the values times `scale`.
void EvaluatePairs(const PairTile& tile, PairValue value, double exponent, float scale,
                   double* sums);

// sums[r] += sum over rows of pairs[row][r], in runs as above.
void AddRows(const float* pairs, int64_t rows, double* sums);

// Turns a 32 x 32 block.
void TransposeBlock(const float* from, float* to);

}  // namespace riesz::cpu
