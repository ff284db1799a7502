// Panel products against double sums, on every instruction set that this machine has.
#include "core/backend/cpu/product.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "core/backend/cpu/pair_kernels.h"
#include "core/backend/cpu/panels.h"
#include "core/random.h"
#include "tests/core/cpu/targets.h"

namespace riesz::cpu {
namespace {

std::vector<float> Normals(int64_t rows, int64_t cols, uint64_t seed) {
  std::vector<float> values(static_cast<size_t>(rows * cols));
  for (int64_t i = 0; i < rows; ++i) {
    FillNormals(seed, RandomStream::kGenerator, 0, static_cast<uint64_t>(i),
                values.data() + i * cols, cols);
  }
  return values;
}

Buffer Pack(const std::vector<float>& rows, int64_t count, int64_t dim) {
  Buffer panels(PaddedRows(count) * dim);
  const std::vector<float> centre(static_cast<size_t>(dim));
  for (int64_t q = 0; q < PanelCount(count); ++q) {
    PackPanel(rows.data() + q * kPanelRows * dim, std::min(kPanelRows, count - q * kPanelRows), dim,
              centre.data(), 1.0f, panels.data() + q * kPanelRows * dim);
  }
  return panels;
}

// A float32 sum of `depth` products of standard normals: eps sqrt(depth) a step, depth steps.
double SumTolerance(int64_t depth) { return 6e-8 * 8 * static_cast<double>(depth); }

class ProductTest : public testing::TestWithParam<int64_t> {};

// Projects (n, d) onto p directions; returns (p, padded n).
std::vector<float> Project(const Buffer& panels, int64_t n, const std::vector<float>& directions,
                           int64_t p, int64_t d) {
  Buffer strips(PaddedColumns(p) * d);
  for (int64_t s = 0; s < StripCount(p); ++s) {
    PackDirectionStrip(directions.data(), p, d, s, strips.data());
  }
  std::vector<float> out(static_cast<size_t>(p * PaddedRows(n)), -1);
  StripProduct product;
  product.panels = panels.data();
  product.panel_count = PanelCount(n);
  product.panel_stride = d * kPanelRows;
  product.strips = strips.data();
  product.strip_depth = d;
  product.columns = p;
  product.end_column = p;
  product.out = out.data();
  product.out_panel_stride = kPanelRows;
  product.out_stride = PaddedRows(n);
  const int64_t half = (d + 1) / 2;  // in two runs, as long depths are
  product.end_depth = half;
  Multiply(product);
  product.first_depth = half;
  product.end_depth = d;
  product.accumulate = true;
  Multiply(product);
  return out;
}

TEST_P(ProductTest, ProjectsEveryShapeOfTile) {
  const OnlyTarget only(GetParam());
  const int64_t n = 70;
  for (const int64_t d : {1, 2, 3, 17, 100}) {
    const auto x = Normals(n, d, 1);
    const Buffer panels = Pack(x, n, d);
    for (const int64_t p : {1, 3, 4, 7, 8, 11, 12, 13, 20, 25, 36}) {
      const auto xi = Normals(p, d, 2);
      const auto out = Project(panels, n, xi, p, d);
      for (int64_t s = 0; s < p; ++s) {
        for (int64_t i = 0; i < n; ++i) {
          double sum = 0;
          for (int64_t k = 0; k < d; ++k) {
            sum += static_cast<double>(x[static_cast<size_t>(i * d + k)]) *
                   xi[static_cast<size_t>(s * d + k)];
          }
          ASSERT_NEAR(out[static_cast<size_t>(s * PaddedRows(n) + i)], sum, SumTolerance(d))
              << "d " << d << " p " << p << " slice " << s << " particle " << i;
        }
      }
    }
  }
}

TEST_P(ProductTest, AProductDoesNotDependOnItsPlace) {
  const OnlyTarget only(GetParam());
  const int64_t n = 64, d = 50, p = 29;
  const auto x = Normals(n, d, 3);
  std::vector<float> reversed(x.size());
  for (int64_t i = 0; i < n; ++i) {
    std::copy_n(x.data() + i * d, d, reversed.data() + (n - 1 - i) * d);
  }
  const auto xi = Normals(p, d, 4);
  const auto out = Project(Pack(x, n, d), n, xi, p, d);
  const auto mirrored = Project(Pack(reversed, n, d), n, xi, p, d);
  for (int64_t s = 0; s < p; ++s) {
    for (int64_t i = 0; i < n; ++i) {
      ASSERT_EQ(out[static_cast<size_t>(s * n + i)],
                mirrored[static_cast<size_t>(s * n + n - 1 - i)]);
    }
  }
}

TEST_P(ProductTest, InnerProductsAndWeightedSumsAreTheirSums) {
  const OnlyTarget only(GetParam());
  const int64_t m = 64;
  for (const int64_t d : {1, 5, 12, 31}) {
    const auto a = Normals(kPanelRows, d, 5);
    const auto b = Normals(m, d, 6);
    const Buffer a_panel = Pack(a, kPanelRows, d);
    const Buffer b_panels = Pack(b, m, d);
    Buffer out(m * kPanelRows);
    InnerProducts(a_panel.data(), b_panels.data(), m / kPanelRows, d, out.data());
    Buffer sums(d * kPanelRows);
    std::fill_n(sums.data(), sums.size(), 1.0f);
    WeightedSums(out.data(), b_panels.data(), m / kPanelRows, d, sums.data());
    for (int64_t r = 0; r < kPanelRows; ++r) {
      std::vector<double> expected(static_cast<size_t>(d), 1.0);
      for (int64_t j = 0; j < m; ++j) {
        double inner = 0;
        for (int64_t k = 0; k < d; ++k) {
          inner += static_cast<double>(a[static_cast<size_t>(r * d + k)]) *
                   b[static_cast<size_t>(j * d + k)];
        }
        ASSERT_NEAR(out.data()[j * kPanelRows + r], inner, SumTolerance(d));
        for (int64_t k = 0; k < d; ++k) {
          expected[static_cast<size_t>(k)] +=
              out.data()[j * kPanelRows + r] *
              static_cast<double>(b[static_cast<size_t>(j * d + k)]);
        }
      }
      for (int64_t k = 0; k < d; ++k) {
        ASSERT_NEAR(sums.data()[k * kPanelRows + r], expected[static_cast<size_t>(k)],
                    SumTolerance(m) * 4 * std::sqrt(static_cast<double>(d)));
      }
    }
  }
}

TEST_P(ProductTest, PanelsUnpackToTheirRows) {
  const OnlyTarget only(GetParam());
  for (const int64_t d : {1, 15, 16, 33}) {
    for (const int64_t n : {1, 31, 32}) {
      const auto x = Normals(n, d, 7);
      const Buffer panel = Pack(x, n, d);
      std::vector<float> back(x.size());
      UnpackPanel(panel.data(), n, d, 1.0f, back.data());
      ASSERT_EQ(back, x);
    }
  }
}

// Exact tiles: particles far from the centre but close to each other cancel in |x|^2 + |y|^2 - 2<x,
// y>.
TEST_P(ProductTest, CloseDistancesDoNotCancel) {
  const OnlyTarget only(GetParam());
  const int64_t d = 40;
  std::vector<float> a = Normals(kPanelRows, d, 8);
  std::vector<float> b = a;
  for (int64_t r = 0; r < kPanelRows; ++r) {
    for (int64_t k = 0; k < d; ++k) {
      a[static_cast<size_t>(r * d + k)] += 100;
      b[static_cast<size_t>(r * d + k)] = a[static_cast<size_t>(r * d + k)];
    }
    b[static_cast<size_t>(r * d)] += 0.125f;  // exact in float32
  }
  const Buffer a_panel = Pack(a, kPanelRows, d);
  const Buffer b_panel = Pack(b, kPanelRows, d);
  const auto norms = [&](const std::vector<float>& rows) {
    Buffer squares(kPanelRows);
    for (int64_t r = 0; r < kPanelRows; ++r) {
      double sum = 0;
      for (int64_t k = 0; k < d; ++k) {
        const double v = rows[static_cast<size_t>(r * d + k)];
        sum += v * v;
      }
      squares.data()[r] = static_cast<float>(sum);
    }
    return squares;
  };
  const Buffer a_norms = norms(a), b_norms = norms(b);
  Buffer pairs(kPanelRows * kPanelRows);
  InnerProducts(a_panel.data(), b_panel.data(), 1, d, pairs.data());
  PairTile tile;
  tile.a = a_panel.data();
  tile.a_norms = a_norms.data();
  tile.a_rows = kPanelRows;
  tile.b = b_panel.data();
  tile.b_norms = b_norms.data();
  tile.b_rows = kPanelRows;
  tile.dim = d;
  tile.pairs = pairs.data();
  double sums[kPanelRows] = {};
  EvaluatePairs(tile, PairValue::kDistance, 1, 1, sums);
  for (int64_t r = 0; r < kPanelRows; ++r) {
    EXPECT_EQ(pairs.data()[r * kPanelRows + r], 0.125f) << r;
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, ProductTest, testing::ValuesIn(SupportedTargets()),
                         [](const auto& info) { return TargetLabel(info.param); });

}  // namespace
}  // namespace riesz::cpu
