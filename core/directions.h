// Directions xi on the unit sphere of R^d along which ensembles are sliced.
//
// A DirectionSpec is a value: the same (spec, d, step) gives the same floats in every backend of
// one build, whatever the chunks and threads. Directions come in blocks: independent groups within
// which an orthogonal spec makes rows orthonormal (rows of a Haar-distributed matrix, unbiased for
// every slice average). The spread of independent blocks is what slicing errors are estimated from.
//
// Thread safety: the functions are pure.
#pragma once

#include <cstdint>
#include <functional>

namespace riesz {

enum class DirectionKind {
  kIid,         // independent, uniform on the sphere
  kOrthogonal,  // orthonormal rows in blocks of min(d, rest); lower error far from the target
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

// How a spec falls into blocks in R^dim. kOrthogonal: full blocks of dim rows, then the rest. kIid:
// generation batches of at most 256 rows; there each *slice* is its own independent block.
int64_t DirectionBlockCount(const DirectionSpec& spec, int64_t dim);
DirectionBlock DirectionBlockAt(const DirectionSpec& spec, int64_t dim, int64_t index);

// Writes block `index` of the spec at flow step `step` (0 outside flows) to out, (block.count, dim)
// row-major. Randomness is keyed by (seed, step, slice). For dim = 1 every direction is +1: the one
// slice there is.
//
// Orthogonal rows are Q of Gaussian = R^T Q with positive diagonal, which is Haar; computed in
// double, rows orthonormal to 1e-6. `parallel` splits the work at fixed tile borders, so that the
// floats do not depend on the number of threads.
void GenerateDirectionBlock(const DirectionSpec& spec, int64_t dim, uint64_t step, int64_t index,
                            float* out, const ParallelFor& parallel = SerialFor);

}  // namespace riesz
