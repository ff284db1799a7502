// A row-major float32 matrix: particles (n, d), projections (p, n), directions (p, d).
//
// Thread safety: as for a standard container. A Matrix owns its memory, 64-byte aligned so that
// vector loads never split a cache line, in huge pages where it is large and the system grants
// them; a MatrixView borrows memory that must outlive it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

namespace riesz {

// Borrowed, read-only rows x cols floats, row i at data + i * cols.
struct MatrixView {
  const float* data = nullptr;
  int64_t rows = 0;
  int64_t cols = 0;

  std::span<const float> row(int64_t i) const {
    return {data + i * cols, static_cast<size_t>(cols)};
  }
  int64_t size() const { return rows * cols; }
};

// Owned rows x cols floats, zero-filled at construction. Movable, not copyable: a copy of an
// ensemble is a decision, not an accident. `rows * cols * 4` must fit in memory; callers reserve it
// in a ledger first.
class Matrix {
 public:
  static constexpr size_t kAlignment = 64;

  Matrix() = default;
  Matrix(int64_t rows, int64_t cols);
  // The source is empty afterwards.
  Matrix(Matrix&& other) noexcept
      : data_(std::move(other.data_)),
        rows_(std::exchange(other.rows_, 0)),
        cols_(std::exchange(other.cols_, 0)) {}
  Matrix& operator=(Matrix&& other) noexcept {
    data_ = std::move(other.data_);
    rows_ = std::exchange(other.rows_, 0);
    cols_ = std::exchange(other.cols_, 0);
    return *this;
  }

  // The same size, memory left as the allocator gave it: for buffers that are written before read.
  // Throws std::bad_alloc, as the constructor does.
  static Matrix Uninitialized(int64_t rows, int64_t cols);
  static Matrix CopyOf(MatrixView view);

  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  int64_t size() const { return rows_ * cols_; }
  size_t bytes() const { return static_cast<size_t>(size()) * sizeof(float); }
  float* data() { return data_.get(); }
  const float* data() const { return data_.get(); }
  float* row(int64_t i) { return data_.get() + i * cols_; }
  const float* row(int64_t i) const { return data_.get() + i * cols_; }
  MatrixView view() const { return {data_.get(), rows_, cols_}; }

 private:
  struct Free {
    size_t bytes;
    void operator()(float* p) const;
  };
  std::unique_ptr<float[], Free> data_;
  int64_t rows_ = 0;
  int64_t cols_ = 0;
};

}  // namespace riesz
