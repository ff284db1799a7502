#include "core/matrix.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace riesz {
namespace {

TEST(Matrix, StartsZeroAndAligned) {
  for (const auto& [rows, cols] : {std::pair<int64_t, int64_t>{1, 1}, {3, 7}, {100, 33}}) {
    const Matrix m(rows, cols);
    EXPECT_EQ(m.size(), rows * cols);
    EXPECT_EQ(m.bytes(), static_cast<size_t>(rows * cols) * 4);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(m.data()) % Matrix::kAlignment, 0u);
    EXPECT_TRUE(std::all_of(m.data(), m.data() + m.size(), [](float v) { return v == 0; }));
  }
}

TEST(Matrix, RowsAreContiguous) {
  Matrix m(3, 4);
  m.row(1)[2] = 5;
  EXPECT_EQ(m.data()[6], 5);
  EXPECT_EQ(m.view().row(1)[2], 5);
  EXPECT_EQ(m.view().row(1).size(), 4u);
}

TEST(Matrix, ACopyIsItsOwn) {
  Matrix m(2, 2);
  m.row(0)[0] = 1;
  const Matrix copy = Matrix::CopyOf(m.view());
  m.row(0)[0] = 2;
  EXPECT_EQ(copy.row(0)[0], 1);
}

TEST(Matrix, MovedFromIsEmpty) {
  Matrix m(2, 3);
  const Matrix taken = std::move(m);
  EXPECT_EQ(taken.size(), 6);
  EXPECT_EQ(m.size(), 0);  // NOLINT(bugprone-use-after-move): what is tested
  EXPECT_EQ(m.data(), nullptr);
  Matrix other(1, 1);
  m = std::move(other);
  EXPECT_EQ(m.size(), 1);
  EXPECT_EQ(other.size(), 0);  // NOLINT(bugprone-use-after-move)
}

TEST(Matrix, EmptyHasNoMemory) {
  EXPECT_EQ(Matrix().data(), nullptr);
  EXPECT_EQ(Matrix(0, 5).data(), nullptr);
  EXPECT_EQ(Matrix(5, 0).bytes(), 0u);
}

}  // namespace
}  // namespace riesz
