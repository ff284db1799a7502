#include "core/directions.h"

#include <cblas.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <mutex>
#include <numbers>

#include "core/check.h"
#include "core/random.h"

namespace riesz {
namespace {

constexpr int64_t kTile = 112;     // rows or columns of one task; 784 = 7 * 112
constexpr int64_t kFillRows = 16;  // rows of one task that fills or converts

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Of blocks that are full but for the last.
int64_t BlockRows(const DirectionSpec& spec, int64_t dim) {
  return spec.kind == DirectionKind::kIid ? kIidBatchRows : std::min(dim, kMaxOrthogonalRows);
}

bool Even(const DirectionSpec& spec, int64_t dim) {
  return spec.kind == DirectionKind::kLowDiscrepancy && dim > 1;
}

bool Structured(const DirectionSpec& spec, int64_t dim) {
  return spec.kind == DirectionKind::kStructured && dim > 1;
}

int64_t EvenBlockCount(int64_t slices, int64_t dim) {
  const int64_t needed = dim == 2 ? 1 : CeilDiv(slices, kMaxDirectionSet);
  // Sets of fewer rows than coordinates would leave out what orthogonal blocks have.
  const int64_t wanted = std::clamp<int64_t>(slices / dim, 2, kLowDiscrepancyBlocks);
  return std::max(needed, std::min(slices, wanted));
}

// Our tasks are the parallelism; BLAS threads beside them would also move the bits.
void UseOneBlasThread() {
  static std::once_flag once;
  std::call_once(once, [] { openblas_set_num_threads(1); });
}

// Rows [i0, i0 + rows) of tile row i, in a matrix of `size` rows.
struct Tile {
  int64_t begin;
  int64_t size;
};
Tile TileAt(int64_t i, int64_t size) { return {i * kTile, std::min(kTile, size - i * kTile)}; }

// Calls body(i, j) for the tiles first <= j <= i < tiles of a lower triangle.
void ForLowerTiles(int64_t first, int64_t tiles, const ParallelFor& parallel,
                   const std::function<void(int64_t, int64_t)>& body) {
  const int64_t edge = tiles - first;
  parallel(edge * (edge + 1) / 2, [&](int64_t task) {
    int64_t i = 0, j = task;
    while (j > i) j -= ++i;
    body(first + i, first + j);
  });
}

// c_tile = alpha a_i a_j^T + beta c_tile, with a_i the rows of tile i in a (k, depth) matrix.
void MultiplyTile(const double* a, int64_t a_stride, int64_t depth, Tile i, Tile j, double alpha,
                  double beta, double* c, int64_t k) {
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<int>(i.size),
              static_cast<int>(j.size), static_cast<int>(depth), alpha, a + i.begin * a_stride,
              static_cast<int>(a_stride), a + j.begin * a_stride, static_cast<int>(a_stride), beta,
              c + i.begin * k + j.begin, static_cast<int>(k));
}

// Cholesky of one diagonal tile in place, rows `stride` apart. False when a pivot is not above
// `least_pivot`.
bool FactorTile(double* tile, int64_t size, int64_t stride, double least_pivot) {
  for (int64_t i = 0; i < size; ++i) {
    double* row_i = tile + i * stride;
    for (int64_t j = 0; j <= i; ++j) {
      const double* row_j = tile + j * stride;
      const double rest = row_i[j] - cblas_ddot(static_cast<int>(j), row_i, 1, row_j, 1);
      if (j < i) {
        row_i[j] = rest / row_j[j];
      } else if (rest > least_pivot) {
        row_i[i] = std::sqrt(rest);
      } else {
        return false;
      }
    }
  }
  return true;
}

// Replaces the lower triangle of gram (k, k) by its Cholesky factor; the strict upper one is
// scratch. False when the matrix is singular in double precision.
bool Cholesky(double* gram, int64_t k, const ParallelFor& parallel) {
  double most = 0;
  for (int64_t i = 0; i < k; ++i) most = std::max(most, gram[i * k + i]);
  // Rounding of the sums before it makes a smaller pivot noise.
  const double least_pivot = static_cast<double>(k) * std::numeric_limits<double>::epsilon() * most;
  const int64_t tiles = CeilDiv(k, kTile);
  for (int64_t t = 0; t < tiles; ++t) {
    const Tile pivot = TileAt(t, k);
    double* diagonal = gram + pivot.begin * k + pivot.begin;
    if (!FactorTile(diagonal, pivot.size, k, least_pivot)) return false;
    parallel(tiles - t - 1, [&](int64_t task) {
      const Tile below = TileAt(t + 1 + task, k);
      cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit,
                  static_cast<int>(below.size), static_cast<int>(pivot.size), 1, diagonal,
                  static_cast<int>(k), gram + below.begin * k + pivot.begin, static_cast<int>(k));
    });
    ForLowerTiles(t + 1, tiles, parallel, [&](int64_t i, int64_t j) {
      MultiplyTile(gram + pivot.begin, k, pivot.size, TileAt(i, k), TileAt(j, k), -1, 1, gram, k);
    });
  }
  return true;
}

void Gram(const double* a, int64_t k, int64_t dim, double* gram, const ParallelFor& parallel) {
  ForLowerTiles(0, CeilDiv(k, kTile), parallel, [&](int64_t i, int64_t j) {
    MultiplyTile(a, dim, dim, TileAt(i, k), TileAt(j, k), 1, 0, gram, k);
  });
}

// a <- factor^-1 a.
void Solve(const double* factor, double* a, int64_t k, int64_t dim, const ParallelFor& parallel) {
  parallel(CeilDiv(dim, kTile), [&](int64_t task) {
    const Tile columns = TileAt(task, dim);
    cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit,
                static_cast<int>(k), static_cast<int>(columns.size), 1, factor, static_cast<int>(k),
                a + columns.begin, static_cast<int>(dim));
  });
}

// Condition number of a factor, within a factor of two: the smallest singular value by two inverse
// power iterations in y (k), the largest as that of Gaussian rows. (The diagonal's ratio alone is
// too low by up to 200.)
double ConditionEstimate(const double* factor, int64_t k, double* y) {
  const auto solve = [&](CBLAS_TRANSPOSE transpose) {
    cblas_dtrsv(CblasRowMajor, CblasLower, transpose, CblasNonUnit, static_cast<int>(k), factor,
                static_cast<int>(k), y, 1);
  };
  std::fill_n(y, k, 1.0);
  double norm = std::sqrt(static_cast<double>(k));
  for (int iteration = 0; iteration < 2; ++iteration) {
    cblas_dscal(static_cast<int>(k), 1 / norm, y, 1);
    solve(CblasNoTrans);
    solve(CblasTrans);
    norm = cblas_dnrm2(static_cast<int>(k), y, 1);  // -> 1 / smallest^2
  }
  double most = 0;
  for (int64_t i = 0; i < k; ++i) most = std::max(most, factor[i * k + i]);
  return 2 * most * std::sqrt(norm);
}

// The nearest bfloat16, ties to even. Requires a finite value.
float RoundToBfloat16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  return std::bit_cast<float>((bits + 0x7fffu + (bits >> 16 & 1u)) & 0xffff0000u);
}

void Normalize(float* row, int64_t dim) {
  // Eight sums, always the same, hide the additions' latency.
  double squares[8] = {};
  for (int64_t k = 0; k < dim; ++k) squares[k % 8] += static_cast<double>(row[k]) * row[k];
  double square = 0;
  for (double part : squares) square += part;
  const double inverse = 1 / std::sqrt(square);
  for (int64_t k = 0; k < dim; ++k) row[k] = static_cast<float>(row[k] * inverse);
}

// body(begin, end) over the rows of a block in tasks of kFillRows.
void ForRows(int64_t rows, const ParallelFor& parallel,
             const std::function<void(int64_t, int64_t)>& body) {
  parallel(CeilDiv(rows, kFillRows),
           [&](int64_t task) { body(task * kFillRows, std::min((task + 1) * kFillRows, rows)); });
}

}  // namespace

namespace internal {

// CholeskyQR: a a^T = L L^T and Q = L^-1 a. One
// pass loses 0.01 to 0.15 eps cond(a)^2 of orthonormality (measured), so that 3e4 means 3e-8 at
// most; a pass beyond it is followed by another (5 % of square blocks at dim = 784). A Gram matrix
// that is singular in double is shifted first (Fukaya et al., "Shifted Cholesky QR", SISC 2020).
// Every pass multiplies by a lower triangle with positive diagonal, so Q is the same Q but for
// rounding.
void Orthonormalize(double* a, int64_t k, int64_t dim, DirectionScratch& scratch,
                    const ParallelFor& parallel) {
  constexpr double kWellConditioned = 3e4;
  constexpr int kMaxPasses = 6;
  double* gram = scratch.gram();
  for (int pass = 0; pass < kMaxPasses; ++pass) {
    Gram(a, k, dim, gram, parallel);
    bool shifted = false;
    if (!Cholesky(gram, k, parallel)) {
      Gram(a, k, dim, gram, parallel);
      double trace = 0;
      for (int64_t i = 0; i < k; ++i) trace += gram[i * k + i];
      for (int64_t i = 0; i < k; ++i) gram[i * k + i] += 1e-11 * trace;
      RIESZ_CHECK(Cholesky(gram, k, parallel), "a shifted Gram matrix is positive definite");
      shifted = true;
    }
    Solve(gram, a, k, dim, parallel);
    if (!shifted && ConditionEstimate(gram, k, scratch.vector()) <= kWellConditioned) return;
  }
  RIESZ_CHECK(false, "CholeskyQR converges in six passes");
}

}  // namespace internal

void SerialFor(int64_t tasks, const std::function<void(int64_t)>& body) {
  for (int64_t i = 0; i < tasks; ++i) body(i);
}

int64_t SliceCount(const DirectionSpec& spec, int64_t dim) { return dim == 1 ? 1 : spec.count; }

int64_t DirectionBlockCount(const DirectionSpec& spec, int64_t dim) {
  if (Even(spec, dim)) return EvenBlockCount(spec.count, dim);
  return CeilDiv(SliceCount(spec, dim), BlockRows(spec, dim));
}

DirectionBlock DirectionBlockAt(const DirectionSpec& spec, int64_t dim, int64_t index) {
  if (Even(spec, dim)) {
    const int64_t blocks = EvenBlockCount(spec.count, dim);
    RIESZ_CHECK(index >= 0 && index < blocks, "a block of the spec");
    const int64_t rows = spec.count / blocks, longer = spec.count % blocks;
    return {index * rows + std::min(index, longer), rows + (index < longer ? 1 : 0)};
  }
  const int64_t rows = BlockRows(spec, dim);
  const int64_t first = index * rows;
  const int64_t count = std::min(rows, SliceCount(spec, dim) - first);
  RIESZ_CHECK(index >= 0 && count > 0, "a block of the spec");
  return {first, count};
}

int64_t MaxBlockRows(const DirectionSpec& spec, int64_t dim) {
  return DirectionBlockAt(spec, dim, 0).count;
}

namespace {

// Rows that a scratch orthonormalises at once.
int64_t ScratchRows(const DirectionSpec& spec, int64_t dim) {
  if (spec.kind == DirectionKind::kIid || dim == 1 || Structured(spec, dim)) return 0;
  if (Even(spec, dim)) return dim == 2 ? 0 : dim;
  return MaxBlockRows(spec, dim);
}

}  // namespace

DirectionScratch::DirectionScratch(const DirectionSpec& spec, int64_t dim) {
  const int64_t k = ScratchRows(spec, dim);
  rows_.resize(static_cast<size_t>(k * dim));
  gram_.resize(static_cast<size_t>(k * k));
  vector_.resize(static_cast<size_t>(k));
  if (Structured(spec, dim)) {
    structured_ = std::make_unique<StructuredRows>(dim, MaxBlockRows(spec, dim));
  }
  if (!Even(spec, dim)) return;
  longer_count_ = MaxBlockRows(spec, dim);
  longer_set_ = EvenDirections(dim, longer_count_);
  const int64_t shorter = spec.count / DirectionBlockCount(spec, dim);
  shorter_set_ = shorter == longer_count_ ? longer_set_ : EvenDirections(dim, shorter);
}

int64_t DirectionScratch::Bytes(const DirectionSpec& spec, int64_t dim) {
  const int64_t k = ScratchRows(spec, dim);
  int64_t bytes = (k * dim + k * k + k) * static_cast<int64_t>(sizeof(double));
  if (Structured(spec, dim)) bytes += StructuredRows::Bytes(dim, MaxBlockRows(spec, dim));
  if (Even(spec, dim)) bytes += 2 * MaxBlockRows(spec, dim) * dim * 4;
  return bytes;
}

namespace {

void RotateEvenSet(const DirectionSpec& spec, int64_t dim, uint64_t step, int64_t index,
                   int64_t count, float* out, DirectionScratch& scratch) {
  const float* set = scratch.even_set(count);
  const auto key = static_cast<uint64_t>(index) * 32;
  static_assert(kMaxLowDiscrepancyDim <= 32, "keys of two blocks must differ");
  if (dim == 2) {
    float uniform;
    FillUniforms(spec.seed, RandomStream::kRotations, step, key, &uniform, 1);
    const double angle = 2 * std::numbers::pi * uniform;
    const double c = std::cos(angle), s = std::sin(angle);
    for (int64_t i = 0; i < count; ++i) {
      const double x = set[2 * i], y = set[2 * i + 1];
      out[2 * i] = static_cast<float>(c * x - s * y);
      out[2 * i + 1] = static_cast<float>(s * x + c * y);
    }
    return;
  }
  double* q = scratch.rows();
  for (int64_t i = 0; i < dim; ++i) {
    float row[kMaxLowDiscrepancyDim];
    FillNormals(spec.seed, RandomStream::kRotations, step, key + static_cast<uint64_t>(i), row,
                dim);
    std::copy(row, row + dim, q + i * dim);
  }
  UseOneBlasThread();
  internal::Orthonormalize(q, dim, dim, scratch, SerialFor);
  for (int64_t i = 0; i < count; ++i) {
    double row[kMaxLowDiscrepancyDim] = {};
    for (int64_t k = 0; k < dim; ++k) {
      const double x = set[i * dim + k];
      for (int64_t e = 0; e < dim; ++e) row[e] += x * q[k * dim + e];
    }
    std::transform(row, row + dim, out + i * dim, [](double v) { return static_cast<float>(v); });
  }
}

}  // namespace

void GenerateDirectionBlock(const DirectionSpec& spec, int64_t dim, uint64_t step, int64_t index,
                            float* out, DirectionScratch& scratch, const ParallelFor& parallel) {
  const DirectionBlock block = DirectionBlockAt(spec, dim, index);
  if (dim == 1) {
    out[0] = 1;
    return;
  }
  if (Even(spec, dim)) {
    RotateEvenSet(spec, dim, step, index, block.count, out, scratch);
    return;
  }
  const auto finish = [dim](float* begin, float* end) {
    if (dim >= kRoundedDim) std::transform(begin, end, begin, RoundToBfloat16);
  };
  if (Structured(spec, dim)) {
    scratch.structured().Draw(spec.seed, step, index);
    scratch.structured().Fill(block.count, out, parallel);
    ForRows(block.count, parallel,
            [&](int64_t begin, int64_t end) { finish(out + begin * dim, out + end * dim); });
    return;
  }
  const bool orthogonal = spec.kind == DirectionKind::kOrthogonal;
  double* a = scratch.rows();
  ForRows(block.count, parallel, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      float* row = out + i * dim;
      FillNormals(spec.seed, RandomStream::kDirections, step,
                  static_cast<uint64_t>(block.first + i), row, dim);
      if (orthogonal) {
        std::copy(row, row + dim, a + i * dim);
      } else {
        Normalize(row, dim);
        finish(row, row + dim);
      }
    }
  });
  if (!orthogonal) return;
  UseOneBlasThread();
  internal::Orthonormalize(a, block.count, dim, scratch, parallel);
  ForRows(block.count, parallel, [&](int64_t begin, int64_t end) {
    for (int64_t e = begin * dim; e < end * dim; ++e) out[e] = static_cast<float>(a[e]);
    finish(out + begin * dim, out + end * dim);
  });
}

void GenerateDirectionBlock(const DirectionSpec& spec, int64_t dim, uint64_t step, int64_t index,
                            float* out, const ParallelFor& parallel) {
  DirectionScratch scratch(spec, dim);
  GenerateDirectionBlock(spec, dim, step, index, out, scratch, parallel);
}

}  // namespace riesz
