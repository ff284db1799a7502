// Rows of random orthogonal matrices that are made in O(dim log dim) each: what structured blocks
// hold (core/directions.h).
//
// The matrix is T_3 T_2 T_1, each T a round of random signs, orthonormal DCT-II and a random
// permutation: row i is T_1^t T_2^t T_3^t e_i. Not Haar: E|<xi, v>| of a coordinate vector v is off
// by the figures in core/README.md. Choromanski, Rowland, Weller, "The unreasonable effectiveness
// of structured random orthogonal embeddings", NIPS 2017, for rounds of signs and Hadamard.
//
// The DCT runs over the first `length` coordinates, the largest number up to dim without a prime
// factor above 61, and leaves the others (none up to dim = 66, below 1 % of them above) to the
// permutation of the next round.
//
// Thread safety: Draw needs the object for itself; Fill does after it.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace riesz {

// Below it the bias is above 1e-3.
inline constexpr int64_t kMinStructuredDim = 16;

class StructuredRows {
 public:
  // For at most `rows` rows in R^dim. Requires rows <= dim.
  StructuredRows(int64_t dim, int64_t rows);
  static int64_t Bytes(int64_t dim, int64_t rows);

  // Draws the matrix of block `index`: a function of the arguments alone.
  void Draw(uint64_t seed, uint64_t step, int64_t index);
  // Writes rows [0, count) to out (count, dim), orthonormal but for the rounding of float32.
  // `parallel` is as in core/directions.h; the floats do not depend on it.
  void Fill(int64_t count, float* out,
            const std::function<void(int64_t, const std::function<void(int64_t)>&)>& parallel);

 private:
  static constexpr int kRounds = 3;

  void FillGroup(int64_t first, int64_t count, float* out, float* workspace);

  const int64_t dim_, length_;
  const int64_t slots_;             // groups that may be made at once
  std::vector<int32_t> radices_;    // of the FFT; their product is length
  std::vector<float> cosines_;      // cos(pi i / (2 length)), i < 4 length
  std::vector<float> signs_;        // (kRounds, dim)
  std::vector<int32_t> positions_;  // (kRounds, dim): T x at i is C D x at positions[i]
  std::vector<float> workspace_;    // (slots, 2, dim, kGroupRows)
};

}  // namespace riesz
