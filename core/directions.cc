#include "core/directions.h"

#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <vector>

#include "core/check.h"
#include "core/random.h"

// LAPACK, as OpenBLAS carries it.
extern "C" void dpotrf_(const char* uplo, const int* n, double* a, const int* lda, int* info);

namespace riesz {
namespace {

constexpr int64_t kIidBatch = 256;
constexpr int64_t kTile = 112;  // rows or columns of one task; 784 = 7 * 112

int64_t Tiles(int64_t size) { return (size + kTile - 1) / kTile; }

// Our tasks are the parallelism; a BLAS with threads of its own would also make bits depend on
// them.
void UseOneBlasThread() {
  static std::once_flag once;
  std::call_once(once, [] { openblas_set_num_threads(1); });
}

// In-place Cholesky factor (lower) of the k x k matrix in `gram`; the strict upper triangle is
// neither read nor written. False when a pivot is not positive.
bool Cholesky(double* gram, int64_t k) {
  const int order = static_cast<int>(k);
  int info = 0;
  dpotrf_("U", &order, gram, &order, &info);  // our rows are LAPACK's columns
  return info == 0;
}

// Largest over smallest diagonal element: a stand-in for the condition number of a factor.
double DiagonalRatio(const double* factor, int64_t k) {
  double least = factor[0], most = factor[0];
  for (int64_t i = 1; i < k; ++i) {
    least = std::min(least, factor[i * k + i]);
    most = std::max(most, factor[i * k + i]);
  }
  return most / least;
}

// Replaces the rows of a (k, d), k <= d, by the Q of its Gram-Schmidt process: a = L q, L lower
// with positive diagonal. CholeskyQR: gram = a a^T = L L^T, q = L^-1 a. Its loss of orthogonality
// is eps * cond(a)^2, so a pass whose factor is ill-conditioned is followed by another, and a
// factor that does not exist in double is replaced by a shifted one first (Fukaya et al., "Shifted
// Cholesky QR", SIAM J. Sci. Comput. 2020). Q is unique, so the number of passes changes rounding
// only.
void Orthonormalize(double* a, int64_t k, int64_t d, std::vector<double>& gram,
                    const ParallelFor& parallel) {
  // A square Gaussian matrix has cond ~ d; a diagonal ratio of 1e3 there means cond ~ 1e5 and a
  // loss of 1e-6, which is met by 2 % of square blocks and hardly any other.
  constexpr double kWellConditioned = 1e3;
  gram.resize(static_cast<size_t>(k * k));
  const int64_t row_tiles = Tiles(k);
  for (int pass = 0; pass < 5; ++pass) {
    parallel(row_tiles * (row_tiles + 1) / 2, [&](int64_t task) {
      int64_t i = 0, j = task;  // tile (i, j) of the lower triangle
      while (j > i) j -= ++i;
      const int64_t i0 = i * kTile, j0 = j * kTile;
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans,
                  static_cast<int>(std::min(kTile, k - i0)),
                  static_cast<int>(std::min(kTile, k - j0)), static_cast<int>(d), 1, a + i0 * d,
                  static_cast<int>(d), a + j0 * d, static_cast<int>(d), 0,
                  gram.data() + i0 * k + j0, static_cast<int>(k));
    });
    double trace = 0;
    for (int64_t i = 0; i < k; ++i) trace += gram[i * k + i];
    std::vector<double> kept;
    if (pass == 0) kept = gram;
    bool shifted = false;
    if (!Cholesky(gram.data(), k)) {
      RIESZ_CHECK(pass == 0, "after a shifted pass the rows are well-conditioned");
      gram = kept;
      for (int64_t i = 0; i < k; ++i) gram[i * k + i] += 1e-12 * trace;
      RIESZ_CHECK(Cholesky(gram.data(), k), "a shifted Gram matrix is positive definite");
      shifted = true;
    }
    const int64_t column_tiles = Tiles(d);
    parallel(column_tiles, [&](int64_t task) {
      const int64_t c0 = task * kTile;
      cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit,
                  static_cast<int>(k), static_cast<int>(std::min(kTile, d - c0)), 1, gram.data(),
                  static_cast<int>(k), a + c0, static_cast<int>(d));
    });
    if (!shifted && DiagonalRatio(gram.data(), k) <= kWellConditioned) return;
  }
  RIESZ_CHECK(false, "CholeskyQR converges in five passes");
}

void Normalize(float* row, int64_t d) {
  double square = 0;
  for (int64_t k = 0; k < d; ++k) square += static_cast<double>(row[k]) * row[k];
  const double inverse = 1 / std::sqrt(square);
  for (int64_t k = 0; k < d; ++k) row[k] = static_cast<float>(row[k] * inverse);
}

}  // namespace

void SerialFor(int64_t tasks, const std::function<void(int64_t)>& body) {
  for (int64_t i = 0; i < tasks; ++i) body(i);
}

int64_t DirectionBlockCount(const DirectionSpec& spec, int64_t dim) {
  const int64_t block = spec.kind == DirectionKind::kOrthogonal ? dim : kIidBatch;
  return (spec.count + block - 1) / block;
}

DirectionBlock DirectionBlockAt(const DirectionSpec& spec, int64_t dim, int64_t index) {
  const int64_t block = spec.kind == DirectionKind::kOrthogonal ? dim : kIidBatch;
  const int64_t first = index * block;
  RIESZ_CHECK(0 <= index && first < spec.count, "block index within the spec");
  return {first, std::min(block, spec.count - first)};
}

void GenerateDirectionBlock(const DirectionSpec& spec, int64_t dim, uint64_t step, int64_t index,
                            float* out, const ParallelFor& parallel) {
  UseOneBlasThread();
  const DirectionBlock block = DirectionBlockAt(spec, dim, index);
  if (dim == 1) {
    std::fill_n(out, block.count, 1.0f);
    return;
  }
  constexpr int64_t kRows = 16;  // rows of one task
  const int64_t row_tasks = (block.count + kRows - 1) / kRows;
  const bool orthogonal = spec.kind == DirectionKind::kOrthogonal;
  parallel(row_tasks, [&](int64_t task) {
    const int64_t end = std::min((task + 1) * kRows, block.count);
    for (int64_t i = task * kRows; i < end; ++i) {
      float* row = out + i * dim;
      FillNormals(spec.seed, RandomStream::kDirections, step,
                  static_cast<uint64_t>(block.first + i), row, dim);
      if (!orthogonal) Normalize(row, dim);
    }
  });
  if (!orthogonal) return;

  // Kept per thread: a flow draws a block every step, and fresh pages would cost more than the
  // sums.
  thread_local std::vector<double> rows, gram;
  rows.resize(static_cast<size_t>(block.count * dim));
  double* a = rows.data();  // not the thread_local itself: tasks run on other threads
  parallel(row_tasks, [&, a](int64_t task) {
    const int64_t end = std::min((task + 1) * kRows, block.count);
    std::copy(out + task * kRows * dim, out + end * dim, a + task * kRows * dim);
  });
  Orthonormalize(a, block.count, dim, gram, parallel);
  parallel(row_tasks, [&, a](int64_t task) {
    const int64_t end = std::min((task + 1) * kRows, block.count);
    for (int64_t i = task * kRows * dim; i < end * dim; ++i) out[i] = static_cast<float>(a[i]);
  });
}

}  // namespace riesz
