// Products on the matrix unit against double sums. What needs the unit says so where there is none.
#include "core/backend/cpu/matrix_unit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include "core/backend/cpu/panels.h"
#include "core/backend/cpu/split.h"
#include "core/random.h"

namespace riesz::cpu {
namespace {

// What memory holds before it is packed, so that missing padding shows.
constexpr Bfloat16 kNaN = 0x7fc0;

float ValueOf(Bfloat16 number) { return std::bit_cast<float>(static_cast<uint32_t>(number) << 16); }

// Element (k, r) of a split panel's piece.
float PieceOf(const std::vector<Bfloat16>& tiles, int64_t k, int64_t r, int piece) {
  const int64_t tile = (k / kTileDepth * kSplitPieces + piece) * 2 + r / kTileSide;
  return ValueOf(tiles[static_cast<size_t>(tile * kTileNumbers + k % kTileDepth / 2 * kTileDepth +
                                           r % kTileSide * 2 + k % 2)]);
}

std::vector<Bfloat16> Split(const std::vector<float>& panel, int64_t depth) {
  std::vector<Bfloat16> tiles(static_cast<size_t>(PanelTileNumbers(depth)), 1);
  SplitPanel(panel.data(), kPanelRows, depth, 1, tiles.data());
  return tiles;
}

TEST(Split, PiecesSumToTheNumberExactly) {
  for (const int64_t depth : {1, 2, 31, 32, 33}) {
    std::vector<float> panel(static_cast<size_t>(depth * kPanelRows));
    FillNormals(1, RandomStream::kGenerator, 0, 0, panel.data(), depth * kPanelRows);
    // Magnitudes from 1e-30 to 1e37, the largest significand, and ties of the first rounding.
    for (size_t i = 0; i < panel.size(); ++i) {
      panel[i] *= std::pow(10.0f, static_cast<float>(static_cast<int>(i % 68) - 30));
    }
    panel[0] = std::bit_cast<float>(0x3fffffffu);
    panel[1] = std::bit_cast<float>(0x3f808000u);
    panel[2] = std::bit_cast<float>(0xbf818000u);
    panel[3] = 0;
    const std::vector<Bfloat16> tiles = Split(panel, depth);
    for (int64_t k = 0; k < DepthTiles(depth) * kTileDepth; ++k) {
      for (int64_t r = 0; r < kPanelRows; ++r) {
        double sum = 0;
        for (int piece = 0; piece < kSplitPieces; ++piece) sum += PieceOf(tiles, k, r, piece);
        const float expected = k < depth ? panel[static_cast<size_t>(k * kPanelRows + r)] : 0;
        ASSERT_EQ(sum, expected) << "depth " << depth << " k " << k << " r " << r;
      }
    }
  }
}

class MatrixUnitTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!MatrixUnitAvailable()) GTEST_SKIP() << "this processor has no matrix unit";
  }
};

// Left operand (rows, depth) of whole numbers below 256, which are bfloat16.
std::vector<float> SmallIntegers(int64_t rows, int64_t depth) {
  std::vector<float> values(static_cast<size_t>(rows * depth));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>((i * 37) % 255) - 127;
  return values;
}

std::vector<Bfloat16> PackRows(const std::vector<float>& rows, int64_t count, int64_t depth) {
  std::vector<Bfloat16> tiles(
      static_cast<size_t>(RowTiles(count) * DepthTiles(depth) * kTileNumbers), kNaN);
  for (int64_t i = 0; i < RowTiles(count); ++i) {
    const int64_t first = i * kTileSide;
    PackRowTiles(rows.data() + std::min(first, count) * depth, depth,
                 std::clamp<int64_t>(count - first, 0, kTileSide), depth, 0,
                 tiles.data() + i * DepthTiles(depth) * kTileNumbers);
  }
  return tiles;
}

// 65537 needs three pieces. With it once in a depth of 100 and 0 or 1 elsewhere, every partial sum
// is a whole number below 127 * 65537 + 100 * 127 < 2^24 / 2: exact in float32, twice over too.
TEST_F(MatrixUnitTest, ProjectsEveryShapeExactlyWhereTheSumsAreExact) {
  for (const int64_t rows : {1, 15, 16, 17, 31, 32, 33, 70}) {
    for (const int64_t depth : {1, 2, 31, 32, 33, 100}) {
      const std::vector<float> a = SmallIntegers(rows, depth);
      std::vector<float> panel(static_cast<size_t>(depth * kPanelRows));
      for (size_t i = 0; i < panel.size(); ++i) {
        const bool large = static_cast<int64_t>(i) / kPanelRows == depth / 2;
        panel[i] = large ? 65537.0f : static_cast<float>(i % 3) - 1;
      }
      const std::vector<Bfloat16> row_tiles = PackRows(a, rows, depth);
      const std::vector<Bfloat16> panel_tiles = Split(panel, depth);
      std::vector<float> out(static_cast<size_t>((rows + 1) * kPanelRows), 5);
      TileProduct p;
      p.row_tiles = row_tiles.data();
      p.rows = rows;
      p.depth_tiles = DepthTiles(depth);
      p.panel_tiles = panel_tiles.data();
      p.end_tile = p.depth_tiles;
      p.out = out.data();
      p.out_stride = kPanelRows;
      for (const bool accumulate : {false, true}) {
        p.accumulate = accumulate;
        MultiplyTiles(p);
      }
      for (int64_t i = 0; i < rows; ++i) {
        for (int64_t r = 0; r < kPanelRows; ++r) {
          double sum = 0;
          for (int64_t k = 0; k < depth; ++k) {
            sum += static_cast<double>(a[static_cast<size_t>(i * depth + k)]) *
                   panel[static_cast<size_t>(k * kPanelRows + r)];
          }
          ASSERT_EQ(out[static_cast<size_t>(i * kPanelRows + r)], 2 * sum)
              << rows << " rows, depth " << depth << ", row " << i << " particle " << r;
        }
      }
      for (int64_t r = 0; r < kPanelRows; ++r) {
        ASSERT_EQ(out[static_cast<size_t>(rows * kPanelRows + r)], 5) << "beyond the last row";
      }
    }
  }
}

// Two split operands: the products left out are below 3 * 2^-24 of |a| |b|, rounding of the sums
// like that of float32.
TEST_F(MatrixUnitTest, InnerProductsOfSplitPanelsHaveFloat32sError) {
  for (const int64_t depth : {17, 50, 100, 784}) {
    std::vector<float> a(static_cast<size_t>(depth * kPanelRows)), b(a.size());
    FillNormals(2, RandomStream::kGenerator, 0, 0, a.data(), depth * kPanelRows);
    FillNormals(2, RandomStream::kGenerator, 0, 1, b.data(), depth * kPanelRows);
    const std::vector<Bfloat16> a_tiles = Split(a, depth), b_tiles = Split(b, depth);
    const int64_t row_numbers = DepthTiles(depth) * kSplitPieces * kTileNumbers;
    std::vector<Bfloat16> rows(static_cast<size_t>(2 * row_numbers), kNaN);
    RowTilesOfPanel(b_tiles.data(), depth, row_numbers, rows.data());
    std::vector<float> out(kPanelRows * kPanelRows);
    TileProduct p;
    p.row_tiles = rows.data();
    p.pieces = kSplitPieces;
    p.rows = kPanelRows;
    p.depth_tiles = DepthTiles(depth);
    p.panel_tiles = a_tiles.data();
    p.end_tile = p.depth_tiles;
    p.out = out.data();
    p.out_stride = kPanelRows;
    MultiplyTiles(p);
    for (int64_t j = 0; j < kPanelRows; ++j) {
      for (int64_t r = 0; r < kPanelRows; ++r) {
        double sum = 0, size = 0;
        for (int64_t k = 0; k < depth; ++k) {
          const double term = static_cast<double>(a[static_cast<size_t>(k * kPanelRows + r)]) *
                              b[static_cast<size_t>(k * kPanelRows + j)];
          sum += term;
          size += std::abs(term);
        }
        // Left out 2e-7 of the terms; six sums of `depth` terms round by 6e-8 of their size a step,
        // randomly.
        const double tolerance = size * (2e-7 + 6e-8 * std::sqrt(static_cast<double>(6 * depth)));
        ASSERT_NEAR(out[static_cast<size_t>(j * kPanelRows + r)], sum, tolerance) << depth;
      }
    }
  }
}

// Coordinates as rows, particles as depth: sums over a panel's particles, one by one chosen.
TEST_F(MatrixUnitTest, CoordinatesWeighedByOneParticleAreItsOwn) {
  const int64_t dim = 40;
  std::vector<float> panel(static_cast<size_t>(dim * kPanelRows));
  FillNormals(3, RandomStream::kGenerator, 0, 0, panel.data(), dim * kPanelRows);
  const int64_t row_numbers = kSplitPieces * kTileNumbers;
  std::vector<Bfloat16> tiles(static_cast<size_t>(RowTiles(dim) * row_numbers), kNaN);
  SplitCoordinates(panel.data(), dim, row_numbers, tiles.data());
  // Lane r weighs particle 31 - r with 1 and all others with 0.
  std::vector<float> weights(kPanelRows * kPanelRows);
  for (int64_t r = 0; r < kPanelRows; ++r) {
    weights[static_cast<size_t>((kPanelRows - 1 - r) * kPanelRows + r)] = 1;
  }
  const std::vector<Bfloat16> weight_tiles = Split(weights, kPanelRows);
  std::vector<float> out(static_cast<size_t>(dim * kPanelRows));
  TileProduct p;
  p.row_tiles = tiles.data();
  p.pieces = kSplitPieces;
  p.rows = dim;
  p.depth_tiles = 1;
  p.panel_tiles = weight_tiles.data();
  p.end_tile = 1;
  p.out = out.data();
  p.out_stride = kPanelRows;
  MultiplyTiles(p);
  for (int64_t k = 0; k < dim; ++k) {
    for (int64_t r = 0; r < kPanelRows; ++r) {
      ASSERT_EQ(out[static_cast<size_t>(k * kPanelRows + r)],
                panel[static_cast<size_t>(k * kPanelRows + kPanelRows - 1 - r)]);
    }
  }
}

}  // namespace
}  // namespace riesz::cpu
