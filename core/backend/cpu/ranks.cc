#include "core/backend/cpu/ranks.h"

#include <algorithm>

#include "core/backend/cpu/sort.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/backend/cpu/ranks.cc"
// clang-format off
#include "hwy/foreach_target.h"  // must come first
#include "hwy/highway.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace riesz::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using DU = hn::ScalableTag<uint32_t>;
using DI = hn::ScalableTag<int32_t>;
using DF = hn::ScalableTag<float>;
constexpr int64_t kLanes = HWY_LANES(uint32_t);

// Corrects the counts of one block in which something ties. Cursors only move forward, so that a
// slice of equal points stays linear.
class TieCursor {
 public:
  TieCursor(const uint32_t* keys, int64_t count, const uint32_t* others, int64_t other_count)
      : keys_(keys), count_(count), others_(others), other_count_(other_count) {}

  // below[i] holds #{others < key}, for i in [begin, end).
  void Fix(int64_t begin, int64_t end, int32_t* below, int32_t* own) {
    for (int64_t i = begin; i < end; ++i) {
      if (i >= run_end_) {
        run_begin_ = i;
        run_end_ = i + 1;
        while (run_end_ < count_ && keys_[run_end_] == keys_[i]) ++run_end_;
      }
      const int64_t less = below[i];
      not_above_ = std::max(not_above_, less);
      while (not_above_ < other_count_ && others_[not_above_] == keys_[i]) ++not_above_;
      below[i] =
          static_cast<int32_t>(static_cast<uint32_t>(less) + static_cast<uint32_t>(not_above_));
      own[i] =
          static_cast<int32_t>(static_cast<uint32_t>(run_begin_) + static_cast<uint32_t>(run_end_));
    }
  }

 private:
  const uint32_t* keys_;
  int64_t count_;
  const uint32_t* others_;
  int64_t other_count_;
  int64_t run_begin_ = 0;
  int64_t run_end_ = 0;
  int64_t not_above_ = 0;
};

// A vector of sorted keys at a time: every other key up to the last lane is compared with all
// lanes, so a merge costs two vector operations and no unpredictable branch per point.
void CountRanksImpl(const uint32_t* keys, int64_t count, const uint32_t* others,
                    int64_t other_count, int32_t* below, int32_t* own) {
  const DU d;
  const DI di;
  TieCursor ties(keys, count, others, other_count);
  int64_t j = 0;  // others[0, j) lie below everything still to come
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const auto key = hn::LoadU(d, keys + i);
    const uint32_t last = keys[i + kLanes - 1];
    auto less = hn::Set(d, static_cast<uint32_t>(j));
    auto equal = hn::Lt(hn::Zero(d), hn::Zero(d));
    const auto minus_one = hn::Set(d, ~0u);
    for (; j < other_count && others[j] < last; ++j) {
      const auto other = hn::Set(d, others[j]);
      less = hn::Sub(less, hn::IfThenElseZero(hn::Lt(other, key), minus_one));
      equal = hn::Or(equal, hn::Eq(other, key));
    }
    bool tied = !hn::AllFalse(d, equal) || (j < other_count && others[j] == last);
    if (i + kLanes < count) {
      tied |= !hn::AllFalse(d, hn::Eq(key, hn::LoadU(d, keys + i + 1)));
    } else {
      for (int64_t k = i; k + 1 < count; ++k) tied |= keys[k] == keys[k + 1];
    }
    tied |= i > 0 && keys[i - 1] == keys[i];
    if (tied) [[unlikely]] {
      hn::StoreU(hn::BitCast(di, less), di, below + i);
      ties.Fix(i, i + kLanes, below, own);
    } else {
      hn::StoreU(hn::BitCast(di, hn::Add(less, less)), di, below + i);
      const auto place = hn::Iota(di, static_cast<int32_t>(i));
      hn::StoreU(hn::Add(hn::Add(place, place), hn::Set(di, 1)), di, own + i);
    }
  }
  for (; i < count; ++i) {
    while (j < other_count && others[j] < keys[i]) ++j;
    below[i] = static_cast<int32_t>(j);
    ties.Fix(i, i + 1, below, own);
  }
}

void ScatterVelocitiesImpl(const uint32_t* indices, int64_t n, int64_t m, const int32_t* below,
                           const int32_t* own, float* h) {
  const DI d;
  const DF df;
  const auto n_int = hn::Set(d, static_cast<int32_t>(n));
  const auto m_int = hn::Set(d, static_cast<int32_t>(m));
  const auto n_float = hn::Set(df, static_cast<float>(n));
  const auto m_float = hn::Set(df, static_cast<float>(m));
  HWY_ALIGN float block[kLanes];
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const auto y = hn::ConvertTo(df, hn::Sub(hn::LoadU(d, below + i), m_int));
    const auto x = hn::ConvertTo(df, hn::Sub(hn::LoadU(d, own + i), n_int));
    hn::Store(hn::Sub(hn::Div(y, m_float), hn::Div(x, n_float)), df, block);
    for (int64_t k = 0; k < kLanes; ++k) h[indices[i + k]] = block[k];
  }
  for (; i < n; ++i) {
    const auto y = static_cast<int32_t>(static_cast<uint32_t>(below[i]) - static_cast<uint32_t>(m));
    const auto x = static_cast<int32_t>(static_cast<uint32_t>(own[i]) - static_cast<uint32_t>(n));
    h[indices[i]] = static_cast<float>(y) / static_cast<float>(m) -
                    static_cast<float>(x) / static_cast<float>(n);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace riesz::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace riesz::cpu {

HWY_EXPORT(CountRanksImpl);
HWY_EXPORT(ScatterVelocitiesImpl);

namespace {

// Of one ensemble's points: sum of value * t with the integer t = (2c_other - M) N - (2c_own - N)
// M, and sum of value * (2c_own - N). Four accumulators, always the same, hide the additions'
// latency.
struct Moments {
  double velocity = 0;
  double spread = 0;
};

Moments SumMoments(const uint32_t* keys, int64_t n, int64_t m, const int32_t* below,
                   const int32_t* own) {
  constexpr int kWays = 4;
  double velocity[kWays] = {};
  double spread[kWays] = {};
  const auto n_double = static_cast<double>(n);
  const auto m_double = static_cast<double>(m);
  for (int64_t i = 0; i < n; ++i) {
    const double value = ValueOfKey(keys[i]);
    const double other = static_cast<double>(static_cast<uint32_t>(below[i])) - m_double;
    const double self = static_cast<double>(static_cast<uint32_t>(own[i])) - n_double;
    velocity[i % kWays] += value * (other * n_double - self * m_double);
    spread[i % kWays] += value * self;
  }
  return {(velocity[0] + velocity[1]) + (velocity[2] + velocity[3]),
          (spread[0] + spread[1]) + (spread[2] + spread[3])};
}

// Requires x_keys and y_keys sorted, below and own of x counted; overwrites both counts.
SliceValue ValueOfSorted(int64_t n, int64_t m, SliceScratch& s) {
  const Moments x = SumMoments(s.x_keys.data(), n, m, s.below.data(), s.own.data());
  CountRanks(s.y_keys.data(), m, s.x_keys.data(), n, s.below.data(), s.own.data());
  const Moments y = SumMoments(s.y_keys.data(), m, n, s.below.data(), s.own.data());
  const auto nd = static_cast<double>(n);
  const auto md = static_cast<double>(m);
  SliceValue value;
  // Rounding may leave -1e-16 times the spread where the value is 0. An overflow must stay NaN.
  const double distance = 2 * (x.velocity / (nd * nd * md) + y.velocity / (md * md * nd));
  value.energy_distance = distance < 0 ? 0.0 : distance;
  value.x_spread = x.spread / (nd * nd);
  value.y_spread = y.spread / (md * md);
  return value;
}

}  // namespace

SliceScratch::SliceScratch(int64_t n, int64_t m, bool values)
    : work(static_cast<size_t>(n)),
      indices(static_cast<size_t>(n)),
      x_keys(static_cast<size_t>(n)),
      y_keys(static_cast<size_t>(m)),
      below(static_cast<size_t>(values ? std::max(n, m) : n)),
      own(below.size()) {}

int64_t SliceScratch::Bytes(int64_t n, int64_t m, bool values) {
  return 16 * n + 4 * m + 8 * (values ? std::max(n, m) : n);
}

void CountRanks(const uint32_t* keys, int64_t count, const uint32_t* others, int64_t other_count,
                int32_t* below_twice, int32_t* own_twice) {
  HWY_DYNAMIC_DISPATCH(CountRanksImpl)
  (keys, count, others, other_count, below_twice, own_twice);
}

void SliceVelocities(float* x, int64_t n, const float* y, int64_t m, SliceScratch& s,
                     SliceValue* value) {
  SortKeysWithIndex(x, n, s.work.data(), s.x_keys.data(), s.indices.data());
  SortKeys(y, m, s.y_keys.data());
  CountRanks(s.x_keys.data(), n, s.y_keys.data(), m, s.below.data(), s.own.data());
  HWY_DYNAMIC_DISPATCH(ScatterVelocitiesImpl)
  (s.indices.data(), n, m, s.below.data(), s.own.data(), x);
  if (value != nullptr) *value = ValueOfSorted(n, m, s);
}

SliceValue MeasureSlice(const float* x, int64_t n, const float* y, int64_t m, SliceScratch& s) {
  SortKeys(x, n, s.x_keys.data());
  SortKeys(y, m, s.y_keys.data());
  CountRanks(s.x_keys.data(), n, s.y_keys.data(), m, s.below.data(), s.own.data());
  return ValueOfSorted(n, m, s);
}

}  // namespace riesz::cpu
#endif  // HWY_ONCE
