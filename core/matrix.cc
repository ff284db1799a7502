#include "core/matrix.h"

#include <cstring>

namespace riesz {

Matrix Matrix::Uninitialized(int64_t rows, int64_t cols) {
  Matrix m;
  m.rows_ = rows;
  m.cols_ = cols;
  if (m.size() > 0) {
    m.data_.reset(static_cast<float*>(::operator new[](m.bytes(), std::align_val_t(kAlignment))));
  }
  return m;
}

Matrix::Matrix(int64_t rows, int64_t cols) : Matrix(Uninitialized(rows, cols)) {
  if (size() > 0) std::memset(data(), 0, bytes());
}

Matrix Matrix::CopyOf(MatrixView view) {
  Matrix m = Uninitialized(view.rows, view.cols);
  if (m.size() > 0) std::memcpy(m.data(), view.data, m.bytes());
  return m;
}

}  // namespace riesz
