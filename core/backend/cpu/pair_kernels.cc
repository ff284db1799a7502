#include "core/backend/cpu/pair_kernels.h"

#include <algorithm>

#include "core/backend/cpu/panels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/backend/cpu/pair_kernels.cc"
// clang-format off
#include "hwy/foreach_target.h"  // must come first
#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace riesz::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
constexpr int64_t kLanes = HWY_LANES(float);

// Squared distances of one row j to `kLanes` particles, by differences.
HWY_INLINE V Squares(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b, int64_t dim) {
  const D d;
  V even = hn::Zero(d);
  V odd = hn::Zero(d);
  int64_t k = 0;
  for (; k + 2 <= dim; k += 2) {
    const V first = hn::Sub(hn::Load(d, a + k * kPanelRows), hn::Set(d, b[k * kPanelRows]));
    const V second =
        hn::Sub(hn::Load(d, a + (k + 1) * kPanelRows), hn::Set(d, b[(k + 1) * kPanelRows]));
    even = hn::MulAdd(first, first, even);
    odd = hn::MulAdd(second, second, odd);
  }
  if (k < dim) {
    const V last = hn::Sub(hn::Load(d, a + k * kPanelRows), hn::Set(d, b[k * kPanelRows]));
    even = hn::MulAdd(last, last, even);
  }
  return hn::Add(even, odd);
}

struct Distance {
  HWY_INLINE V operator()(D, V squares) const { return hn::Sqrt(squares); }
};
struct InverseDistance {
  HWY_INLINE V operator()(D d, V squares) const {
    return hn::Div(hn::Set(d, 1.0f), hn::Sqrt(squares));
  }
};
// squares^power.
struct Power {
  float power;
  HWY_INLINE V operator()(D d, V squares) const {
    return hn::Exp(d, hn::Mul(hn::Set(d, power), hn::Log(d, squares)));
  }
};

template <class F>
HWY_INLINE void Evaluate(const PairTile& t, const F& f, float scale_value) {
  const D d;
  const V scale = hn::Set(d, scale_value);
  const V zero = hn::Zero(d);
  const V close = hn::Set(d, kCloseShare);
  const V minus_two = hn::Set(d, -2.0f);
  HWY_ALIGN float lane_numbers[kPanelRows];
  for (int64_t r = 0; r < kPanelRows; ++r) lane_numbers[r] = static_cast<float>(r);
  const V lane_limit = hn::Set(d, static_cast<float>(t.a_rows));
  const bool direct = t.dim <= kMaxDirectDim;
  for (int64_t j = 0; j < t.b_rows; ++j) {
    const float* b = t.b + (j / kPanelRows) * t.dim * kPanelRows + j % kPanelRows;
    float* row = t.pairs + j * kPanelRows;
    const V b_norm = hn::Set(d, t.b_norms[j]);
    for (int64_t r = 0; r < kPanelRows; r += kLanes) {
      V squares;
      if (direct) {
        squares = Squares(t.a + r, b, t.dim);
      } else {
        const V norms = hn::Add(hn::Load(d, t.a_norms + r), b_norm);
        squares = hn::MulAdd(minus_two, hn::Load(d, row + r), norms);
        if (!hn::AllFalse(d, hn::Lt(squares, hn::Mul(close, norms)))) [[unlikely]] {
          squares = Squares(t.a + r, b, t.dim);
        }
      }
      const auto wanted =
          hn::And(hn::Gt(squares, zero), hn::Lt(hn::Load(d, lane_numbers + r), lane_limit));
      hn::Store(hn::IfThenElseZero(wanted, hn::Mul(scale, f(d, squares))), d, row + r);
    }
    if (t.same_offset >= 0 && j >= t.same_offset && j < t.same_offset + kPanelRows) {
      row[j - t.same_offset] = 0;
    }
  }
  const int64_t padded = PaddedRows(t.b_rows);
  std::fill(t.pairs + t.b_rows * kPanelRows, t.pairs + padded * kPanelRows, 0.0f);
}

void EvaluatePairsImpl(const PairTile& tile, PairValue value, double exponent, float scale) {
  if (value == PairValue::kDistance) {
    if (exponent == 1) {
      Evaluate(tile, Distance(), scale);
    } else {
      Evaluate(tile, Power{static_cast<float>(exponent / 2)}, scale);
    }
  } else if (exponent == 1) {
    Evaluate(tile, InverseDistance(), scale);
  } else {
    Evaluate(tile, Power{static_cast<float>(exponent / 2 - 1)}, scale);
  }
}

// Runs of 16 rows are summed in float32 (relative error 16 * 6e-8 of the run at most), runs in
// double.
void AddRowsImpl(const float* pairs, int64_t rows, double* sums) {
  constexpr int64_t kRun = 16;
  const D d;
  HWY_ALIGN float run_sums[kPanelRows];
  for (int64_t j = 0; j < rows; j += kRun) {
    const int64_t end = std::min(rows, j + kRun);
    for (int64_t r = 0; r < kPanelRows; r += kLanes) {
      V sum = hn::Zero(d);
      for (int64_t k = j; k < end; ++k) {
        sum = hn::Add(sum, hn::Load(d, pairs + k * kPanelRows + r));
      }
      hn::Store(sum, d, run_sums + r);
    }
    for (int64_t r = 0; r < kPanelRows; ++r) sums[r] += run_sums[r];
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace riesz::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace riesz::cpu {

HWY_EXPORT(EvaluatePairsImpl);
HWY_EXPORT(AddRowsImpl);

void EvaluatePairs(const PairTile& tile, PairValue value, double exponent, float scale) {
  HWY_DYNAMIC_DISPATCH(EvaluatePairsImpl)(tile, value, exponent, scale);
}

void AddRows(const float* pairs, int64_t rows, double* sums) {
  HWY_DYNAMIC_DISPATCH(AddRowsImpl)(pairs, rows, sums);
}

void TransposeBlock(const float* from, float* to) {
  constexpr int64_t kCorner = 8;
  for (int64_t j0 = 0; j0 < kPanelRows; j0 += kCorner) {
    for (int64_t r0 = 0; r0 < kPanelRows; r0 += kCorner) {
      for (int64_t j = j0; j < j0 + kCorner; ++j) {
        for (int64_t r = r0; r < r0 + kCorner; ++r) {
          to[r * kPanelRows + j] = from[j * kPanelRows + r];
        }
      }
    }
  }
}

}  // namespace riesz::cpu
#endif  // HWY_ONCE
