#include "core/backend/cpu/pair_kernels.h"

#include <algorithm>

#include "core/backend/cpu/matrix_unit.h"
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
#if HWY_TARGET == HWY_AVX3
// 1 / sqrt(squares): 14 bits from the processor and one Newton step, relative error 1.5 * 2^-28 and
// rounding. A root takes 19 cycles a vector and a division 16; this takes 5. Only where there is a
// matrix unit, whose products would otherwise wait for the roots: the first bits are the maker's.
HWY_INLINE V FastInverseRoot(D d, V squares) {
  const V guess = V{_mm512_rsqrt14_ps(squares.raw)};
  const V half = hn::Mul(hn::Mul(squares, hn::Set(d, -0.5f)), guess);
  return hn::Mul(guess, hn::MulAdd(half, guess, hn::Set(d, 1.5f)));
}
struct FastDistance {
  HWY_INLINE V operator()(D d, V squares) const {
    return hn::Mul(squares, FastInverseRoot(d, squares));
  }
};
struct FastInverseDistance {
  HWY_INLINE V operator()(D d, V squares) const { return FastInverseRoot(d, squares); }
};
#else
using FastDistance = Distance;
using FastInverseDistance = InverseDistance;
#endif
// squares^power.
struct Power {
  float power;
  HWY_INLINE V operator()(D d, V squares) const {
    return hn::Exp(d, hn::Mul(hn::Set(d, power), hn::Log(d, squares)));
  }
};

// Rows that are summed in float32 (relative error 16 * 6e-8 of a run at most) before double.
constexpr int64_t kRun = 16;
constexpr int kVectors = kPanelRows / kLanes;

// Column sums of up to kRun rows in registers.
struct RunSums {
  V sums[kVectors];

  HWY_INLINE RunSums() { Clear(); }
  HWY_INLINE void Clear() {
    for (V& sum : sums) sum = hn::Zero(D());
  }
  HWY_INLINE void AddTo(double* totals) {
    const D d;
    HWY_ALIGN float lanes[kPanelRows];
    for (int v = 0; v < kVectors; ++v) hn::Store(sums[v], d, lanes + v * kLanes);
    for (int64_t r = 0; r < kPanelRows; ++r) totals[r] += lanes[r];
    Clear();
  }
};

// Which lanes of a row count.
struct AllLanes {
  HWY_INLINE hn::Mask<D> operator()(int64_t, int64_t, hn::Mask<D> positive) const {
    return positive;
  }
};
// Not those beyond the panel's last particle, nor a particle's pair with itself.
class SomeLanes {
 public:
  explicit SomeLanes(const PairTile& t)
      : rows_(hn::Set(D(), static_cast<float>(t.a_rows))), same_offset_(t.same_offset) {
    for (int64_t r = 0; r < kPanelRows; ++r) lane_numbers_[r] = static_cast<float>(r);
  }
  HWY_INLINE hn::Mask<D> operator()(int64_t j, int64_t r, hn::Mask<D> positive) const {
    const D d;
    const V lane = hn::Load(d, lane_numbers_ + r);
    const V self = hn::Set(d, static_cast<float>(same_offset_ >= 0 ? j - same_offset_ : -1));
    return hn::And(positive, hn::And(hn::Lt(lane, rows_), hn::Ne(lane, self)));
  }

 private:
  HWY_ALIGN float lane_numbers_[kPanelRows];
  V rows_;
  int64_t same_offset_;
};

template <bool kStore, class F, class Lanes>
HWY_INLINE void EvaluateRows(const PairTile& t, const F& f, float scale_value, const Lanes& lanes,
                             double* totals) {
  const D d;
  const V scale = hn::Set(d, scale_value);
  const V zero = hn::Zero(d);
  const V close = hn::Set(d, kCloseShare);
  const V minus_two = hn::Set(d, -2.0f);
  const bool direct = t.dim <= kMaxDirectDim;
  RunSums sums;
  for (int64_t j = 0; j < t.b_rows; ++j) {
    const float* b = t.b + (j / kPanelRows) * t.dim * kPanelRows + j % kPanelRows;
    float* row = t.pairs + j * kPanelRows;
    const V b_norm = hn::Set(d, t.b_norms[j]);
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      const int64_t r = v * kLanes;
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
      // Not 0; NaN, where a difference overflowed, must stay what it is.
      const auto wanted = lanes(j, r, hn::Not(hn::Le(squares, zero)));
      const V value = hn::IfThenElseZero(wanted, hn::Mul(scale, f(d, squares)));
      sums.sums[v] = hn::Add(sums.sums[v], value);
      if constexpr (kStore) hn::Store(value, d, row + r);
    }
    if (j % kRun == kRun - 1) sums.AddTo(totals);
  }
  sums.AddTo(totals);
  if constexpr (kStore) {
    const int64_t padded = PaddedRows(t.b_rows);
    std::fill(t.pairs + t.b_rows * kPanelRows, t.pairs + padded * kPanelRows, 0.0f);
  }
}

template <bool kStore, class F>
HWY_INLINE void Evaluate(const PairTile& t, const F& f, float scale, double* totals) {
  if (t.a_rows == kPanelRows && t.same_offset < 0) {
    EvaluateRows<kStore>(t, f, scale, AllLanes(), totals);
  } else {
    EvaluateRows<kStore>(t, f, scale, SomeLanes(t), totals);
  }
}

template <bool kStore>
void EvaluateAny(const PairTile& tile, PairValue value, double exponent, float scale,
                 double* sums) {
  const bool fast = MatrixUnitAvailable();
  if (exponent != 1) {
    const double power = value == PairValue::kDistance ? exponent / 2 : exponent / 2 - 1;
    Evaluate<kStore>(tile, Power{static_cast<float>(power)}, scale, sums);
  } else if (value == PairValue::kDistance) {
    fast ? Evaluate<kStore>(tile, FastDistance(), scale, sums)
         : Evaluate<kStore>(tile, Distance(), scale, sums);
  } else {
    fast ? Evaluate<kStore>(tile, FastInverseDistance(), scale, sums)
         : Evaluate<kStore>(tile, InverseDistance(), scale, sums);
  }
}

void EvaluatePairsImpl(const PairTile& tile, PairValue value, double exponent, float scale,
                       double* sums) {
  EvaluateAny<true>(tile, value, exponent, scale, sums);
}

void SumPairsImpl(const PairTile& tile, PairValue value, double exponent, float scale,
                  double* sums) {
  EvaluateAny<false>(tile, value, exponent, scale, sums);
}

void AddRowsImpl(const float* pairs, int64_t rows, double* totals) {
  const D d;
  RunSums sums;
  for (int64_t j = 0; j < rows; ++j) {
    for (int v = 0; v < kVectors; ++v) {
      sums.sums[v] = hn::Add(sums.sums[v], hn::Load(d, pairs + j * kPanelRows + v * kLanes));
    }
    if (j % kRun == kRun - 1) sums.AddTo(totals);
  }
  sums.AddTo(totals);
}

}  // namespace HWY_NAMESPACE
}  // namespace riesz::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace riesz::cpu {

HWY_EXPORT(EvaluatePairsImpl);
HWY_EXPORT(SumPairsImpl);
HWY_EXPORT(AddRowsImpl);

void EvaluatePairs(const PairTile& tile, PairValue value, double exponent, float scale,
                   double* sums) {
  HWY_DYNAMIC_DISPATCH(EvaluatePairsImpl)(tile, value, exponent, scale, sums);
}

void SumPairs(const PairTile& tile, PairValue value, double exponent, float scale, double* sums) {
  HWY_DYNAMIC_DISPATCH(SumPairsImpl)(tile, value, exponent, scale, sums);
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
