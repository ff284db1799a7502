#include "core/backend/cpu/product.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/backend/cpu/product.cc"
// clang-format off
#include "hwy/foreach_target.h"  // must come first
#include "hwy/highway.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace riesz::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Register tile: two vectors of particles by kTile columns. AVX-512 has 32 registers: 24 sums + 2 +
// 1; the others have 16: 12 sums + 2 + 1.
using D = hn::ScalableTag<float>;
constexpr int64_t kLanes = HWY_LANES(float);
constexpr int64_t kHalf = 2 * kLanes <= kPanelRows ? 2 * kLanes : kPanelRows;
constexpr int kTile = HWY_TARGET == HWY_AVX3 ? 12 : 6;

// Sums of a register tile over `steps` steps. Column c's multiplier of step k is at
// b[k * step_stride + c * column_stride].
template <int kColumns>
struct Sums {
  hn::Vec<D> low[kColumns];
  hn::Vec<D> high[kColumns];

  HWY_INLINE void Clear() {
#pragma GCC unroll 12
    for (int c = 0; c < kColumns; ++c) low[c] = high[c] = hn::Zero(D());
  }
  HWY_INLINE void Load(const float* out, int64_t stride) {
#pragma GCC unroll 12
    for (int c = 0; c < kColumns; ++c) {
      low[c] = hn::LoadU(D(), out + c * stride);
      high[c] = hn::LoadU(D(), out + c * stride + kLanes);
    }
  }
  HWY_INLINE void Store(float* out, int64_t stride, int64_t columns) const {
#pragma GCC unroll 12
    for (int c = 0; c < kColumns; ++c) {
      if (c >= columns) break;
      hn::StoreU(low[c], D(), out + c * stride);
      hn::StoreU(high[c], D(), out + c * stride + kLanes);
    }
  }
  HWY_INLINE void Step(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b,
                       int64_t column_stride) {
    const auto a_low = hn::Load(D(), a);
    const auto a_high = hn::Load(D(), a + kLanes);
#pragma GCC unroll 12
    for (int c = 0; c < kColumns; ++c) {
      const auto multiplier = hn::Set(D(), b[c * column_stride]);
      low[c] = hn::MulAdd(a_low, multiplier, low[c]);
      high[c] = hn::MulAdd(a_high, multiplier, high[c]);
    }
  }
};

template <int kColumns>
HWY_INLINE void Accumulate(Sums<kColumns>& sums, const float* HWY_RESTRICT a,
                           const float* HWY_RESTRICT b, int64_t depth, int64_t b_stride) {
  for (int64_t k = 0; k < depth; ++k) {
    sums.Step(a + k * kPanelRows, b + k * b_stride, 1);
  }
}

template <int kColumns>
HWY_NOINLINE void MultiplyTile(const float* a, const float* b, int64_t b_stride, int64_t depth,
                               float* out, int64_t out_stride, int64_t columns, bool accumulate) {
  Sums<kColumns> sums;
  sums.Clear();
  Accumulate(sums, a, b, depth, b_stride);
  if (!accumulate) {
    sums.Store(out, out_stride, columns);
    return;
  }
#pragma GCC unroll 12
  for (int c = 0; c < kColumns; ++c) {
    if (c >= columns) break;
    float* o = out + c * out_stride;
    hn::StoreU(hn::Add(hn::LoadU(D(), o), sums.low[c]), D(), o);
    hn::StoreU(hn::Add(hn::LoadU(D(), o + kLanes), sums.high[c]), D(), o + kLanes);
  }
}

// One panel by up to 12 columns (a multiple of 4), in register tiles.
HWY_INLINE void MultiplyColumns(const float* a, const float* b, int64_t b_stride, int64_t width,
                                int64_t depth, float* out, int64_t out_stride, int64_t columns,
                                bool accumulate) {
  for (int64_t r = 0; r < kPanelRows; r += kHalf) {
    int64_t c = 0;
    for (; c + kTile <= width; c += kTile) {
      MultiplyTile<kTile>(a + r, b + c, b_stride, depth, out + c * out_stride + r, out_stride,
                          columns - c, accumulate);
    }
    if (kTile == 12 && c + 8 <= width) {
      MultiplyTile<8>(a + r, b + c, b_stride, depth, out + c * out_stride + r, out_stride,
                      columns - c, accumulate);
      c += 8;
    }
    for (; c + 4 <= width; c += 4) {
      MultiplyTile<4>(a + r, b + c, b_stride, depth, out + c * out_stride + r, out_stride,
                      columns - c, accumulate);
    }
    for (; c + 2 <= width; c += 2) {
      MultiplyTile<2>(a + r, b + c, b_stride, depth, out + c * out_stride + r, out_stride,
                      columns - c, accumulate);
    }
  }
}

void MultiplyImpl(const StripProduct& p) {
  const int64_t padded = PaddedColumns(p.columns);
  for (int64_t column = p.first_column; column < p.end_column; column += kStripWidth) {
    const int64_t width = std::min(kStripWidth, padded - column);
    const int64_t columns = std::min(width, p.columns - column);
    const float* strip = p.strips + column * p.strip_depth + p.first_depth * width;
    for (int64_t q = 0; q < p.panel_count; ++q) {
      MultiplyColumns(p.panels + q * p.panel_stride + p.first_depth * kPanelRows, strip, width,
                      width, p.end_depth - p.first_depth,
                      p.out + q * p.out_panel_stride + column * p.out_stride, p.out_stride, columns,
                      p.accumulate);
    }
  }
}

void InnerProductsImpl(const float* a, const float* b, int64_t b_panels, int64_t dim, float* out) {
  for (int64_t q = 0; q < b_panels; ++q) {
    for (int64_t c = 0; c < kPanelRows; c += kStripWidth) {
      const int64_t width = std::min(kStripWidth, kPanelRows - c);
      MultiplyColumns(a, b + q * dim * kPanelRows + c, kPanelRows, width, dim,
                      out + (q * kPanelRows + c) * kPanelRows, kPanelRows, width, false);
    }
  }
}

template <int kColumns>
HWY_NOINLINE void WeightedTile(const float* weights, const float* b, int64_t b_panels,
                               int64_t panel_stride, float* out) {
  Sums<kColumns> sums;
  sums.Clear();
  for (int64_t q = 0; q < b_panels; ++q) {
    const float* w = weights + q * kPanelRows * kPanelRows;
    const float* particles = b + q * panel_stride;
    for (int64_t j = 0; j < kPanelRows; ++j) {
      sums.Step(w + j * kPanelRows, particles + j, kPanelRows);
    }
  }
#pragma GCC unroll 12
  for (int c = 0; c < kColumns; ++c) {
    float* o = out + c * kPanelRows;
    hn::StoreU(hn::Add(hn::LoadU(D(), o), sums.low[c]), D(), o);
    hn::StoreU(hn::Add(hn::LoadU(D(), o + kLanes), sums.high[c]), D(), o + kLanes);
  }
}

void WeightedSumsImpl(const float* weights, const float* b, int64_t b_panels, int64_t dim,
                      float* sums) {
  const int64_t stride = dim * kPanelRows;
  for (int64_t r = 0; r < kPanelRows; r += kHalf) {
    int64_t k = 0;
    for (; k + kTile <= dim; k += kTile) {
      WeightedTile<kTile>(weights + r, b + k * kPanelRows, b_panels, stride,
                          sums + k * kPanelRows + r);
    }
    for (; k + 4 <= dim; k += 4) {
      WeightedTile<4>(weights + r, b + k * kPanelRows, b_panels, stride, sums + k * kPanelRows + r);
    }
    for (; k < dim; ++k) {
      WeightedTile<1>(weights + r, b + k * kPanelRows, b_panels, stride, sums + k * kPanelRows + r);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace riesz::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace riesz::cpu {

HWY_EXPORT(MultiplyImpl);
HWY_EXPORT(InnerProductsImpl);
HWY_EXPORT(WeightedSumsImpl);

void Multiply(const StripProduct& product) { HWY_DYNAMIC_DISPATCH(MultiplyImpl)(product); }

void InnerProducts(const float* a, const float* b, int64_t b_panels, int64_t dim, float* out) {
  HWY_DYNAMIC_DISPATCH(InnerProductsImpl)(a, b, b_panels, dim, out);
}

void WeightedSums(const float* weights, const float* b, int64_t b_panels, int64_t dim,
                  float* sums) {
  HWY_DYNAMIC_DISPATCH(WeightedSumsImpl)(weights, b, b_panels, dim, sums);
}

}  // namespace riesz::cpu
#endif  // HWY_ONCE
