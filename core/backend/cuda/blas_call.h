// A row-major MatrixProduct as BLAS takes it, columns first.
//
// What we call c (rows, cols) is BLAS's c^T (cols, rows), so that the factors change places; a
// factor that is transposed for us is not for BLAS, and the other way round.
#pragma once

#include <cstdint>

#include "core/backend/cuda/device_runtime.h"

namespace riesz::cuda {

// c (m, n) = op(first) (m, k) op(second) (k, n), column-major; op transposes where it says so.
struct BlasCall {
  bool transpose_first = false, transpose_second = false;
  int64_t m = 0, n = 0, k = 0;
  const float* first = nullptr;
  int64_t first_stride = 0;
  const float* second = nullptr;
  int64_t second_stride = 0;
};

inline BlasCall BlasCallOf(const MatrixProduct& p) {
  return {.transpose_first = !p.transpose_a,
          .transpose_second = p.transpose_a,
          .m = p.cols,
          .n = p.rows,
          .k = p.depth,
          .first = p.b,
          .first_stride = p.b_stride,
          .second = p.a,
          .second_stride = p.a_stride};
}

}  // namespace riesz::cuda
