#include "core/matrix.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "core/large_memory.h"

namespace riesz {

void Matrix::Free::operator()(float* p) const {
  if (bytes >= kLargeBytes) {
    FreeLarge(p, bytes);
  } else {
    std::free(p);
  }
}

Matrix Matrix::Uninitialized(int64_t rows, int64_t cols) {
  Matrix m;
  m.rows_ = rows;
  m.cols_ = cols;
  if (m.size() == 0) return m;
  void* memory = nullptr;
  if (m.bytes() >= kLargeBytes) {
    memory = AllocateLarge(m.bytes());
  } else if (posix_memalign(&memory, kAlignment, m.bytes()) != 0) {
    throw std::bad_alloc();
  }
  m.data_ = std::unique_ptr<float[], Free>(static_cast<float*>(memory), Free{m.bytes()});
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
