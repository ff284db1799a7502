// Directions xi on the unit sphere of R^d along which ensembles are sliced.
//
// A DirectionSpec is a value: the same (spec, d, step) gives the same floats in every backend of
// one build on one kind of processor, whatever the chunks and threads. Directions come in blocks:
// independent groups within which directions avoid each other, each direction by itself uniform on
// the sphere, so that every slice average is unbiased. The spread of independent blocks is what
// slicing errors are estimated from (core/slicing_error.h).
//
// Thread safety: the functions are pure but for the memory they are given.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "core/low_discrepancy.h"
#include "core/structured_directions.h"

namespace riesz {

enum class DirectionKind {
  kIid,             // independent, uniform on the sphere
  kOrthogonal,      // orthonormal rows in blocks; lower error far from the target
  kLowDiscrepancy,  // evenly spread sets, one rotation a block; 2 <= d <= kMaxLowDiscrepancyDim
  kStructured,      // as orthogonal, rows of fast transforms; d >= kMinStructuredDim
};

struct DirectionSpec {
  DirectionKind kind = DirectionKind::kOrthogonal;
  int64_t count = 1000;  // P >= 1
  uint64_t seed = 0;
};

// Slices [first, first + count) of one spec.
struct DirectionBlock {
  int64_t first = 0;
  int64_t count = 0;
};

// Runs body(0), ..., body(tasks - 1) in any order, possibly at once, and returns when all are done.
using ParallelFor = std::function<void(int64_t tasks, const std::function<void(int64_t)>& body)>;
void SerialFor(int64_t tasks, const std::function<void(int64_t)>& body);

// Rows that are made orthonormal together, at most. A block is made in one go, k rows for 4 k^2 dim
// floating-point operations: without a bound, 3072 rows in R^3072 would hold a device for a second.
inline constexpr int64_t kMaxOrthogonalRows = 1024;
// Blocks of a low-discrepancy spec: few, since a large set errs less than two small ones, but so
// many that their spread says what the error is.
inline constexpr int64_t kLowDiscrepancyBlocks = 4;
// Rows of an iid block, a batch of generation only: each *slice* is independent of all others.
inline constexpr int64_t kIidBatchRows = 256;

// From this dimension on coordinates of directions are bfloat16 numbers: floats of 8 significant
// bits, rounded to nearest even. A float32 is the sum of three such numbers, so three products of
// bfloat16, which matrix units make 16 times as fast, project it exactly. What is projected on is
// not quite the sphere: the relative error of a coordinate has variance at most 2^-14 / 12, so that
// E|<xi, v>| grows by 2.6e-6 of itself at most, far below the error of any number of slices. Lower
// dimensions, whose sets of directions can be much better than random, keep all bits.
inline constexpr int64_t kRoundedDim = 32;

// Directions that a spec draws in R^dim: spec.count, but 1 for dim = 1, where +1 is all there is.
int64_t SliceCount(const DirectionSpec& spec, int64_t dim);
// How a spec falls into blocks in R^dim. Orthogonal, structured and iid: full blocks of min(dim,
// kMaxOrthogonalRows) or kIidBatchRows rows, then the rest. Low-discrepancy:
// kLowDiscrepancyBlocks, more where sets would be larger than kMaxDirectionSet, down to two where
// they would have less than dim rows; their sizes differ by one at most, the larger come first.
// Requires index < DirectionBlockCount.
int64_t DirectionBlockCount(const DirectionSpec& spec, int64_t dim);
DirectionBlock DirectionBlockAt(const DirectionSpec& spec, int64_t dim, int64_t index);
// Rows of the largest block, the first.
int64_t MaxBlockRows(const DirectionSpec& spec, int64_t dim);

// Working memory for making any block of one spec, one block at a time: k rows for orthogonal
// blocks, the rotation (k = dim) and the sets for low-discrepancy ones. Making it may make the
// sets.
class DirectionScratch {
 public:
  DirectionScratch(const DirectionSpec& spec, int64_t dim);
  static int64_t Bytes(const DirectionSpec& spec, int64_t dim);

  double* rows() { return rows_.data(); }                // (k, dim) for blocks of k rows
  double* gram() { return gram_.data(); }                // (k, k)
  double* vector() { return vector_.data(); }            // (k)
  StructuredRows& structured() { return *structured_; }  // of a structured spec
  // The set (count, dim) that a low-discrepancy block of so many rows is rotated from.
  const float* even_set(int64_t count) const {
    return (count == longer_count_ ? longer_set_ : shorter_set_)->data();
  }

 private:
  std::vector<double> rows_, gram_, vector_;
  int64_t longer_count_ = 0;
  DirectionSet longer_set_, shorter_set_;
  std::unique_ptr<StructuredRows> structured_;
};

// Writes block `index` of the spec at flow step `step` (0 outside flows) to out, (block.count, dim)
// row-major. Randomness is keyed by (seed, step, slice or block). For dim = 1 the one direction is
// +1. Requires a dim that the kind serves (core/validate.h).
//
// Orthogonal rows are the Q of Gaussian = L Q with L lower triangular and a positive diagonal,
// which is Haar (Mezzadri, "How to generate random matrices from the classical compact groups",
// 2007); made in double, |Q Q^T - I| < 1e-6 elementwise in float32, and < 3e-2 / sqrt(dim) where
// coordinates are rounded to bfloat16. Low-discrepancy rows are an evenly spread set times one Haar
// matrix, in the plane with one uniform angle added. Structured rows are those of
// core/structured_directions.h. `parallel` splits the work at fixed tile
// borders into single-threaded BLAS calls, so that the floats do not depend on the number of
// threads.
void GenerateDirectionBlock(const DirectionSpec& spec, int64_t dim, uint64_t step, int64_t index,
                            float* out, DirectionScratch& scratch,
                            const ParallelFor& parallel = SerialFor);
// The same with memory of its own: for callers that make a block once.
void GenerateDirectionBlock(const DirectionSpec& spec, int64_t dim, uint64_t step, int64_t index,
                            float* out, const ParallelFor& parallel = SerialFor);

namespace internal {

// Replaces the rows of a (k, dim), k <= dim, by the Q of a = L Q. Reachable for its test: the draws
// that need more than one pass are too rare to wait for. `scratch` of a spec with k rows.
void Orthonormalize(double* a, int64_t k, int64_t dim, DirectionScratch& scratch,
                    const ParallelFor& parallel);

}  // namespace internal
}  // namespace riesz
