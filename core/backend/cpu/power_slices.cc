#include "core/backend/cpu/power_slices.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/backend/cpu/sort.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/backend/cpu/power_slices.cc"
// clang-format off
#include "hwy/foreach_target.h"  // must come first
#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace riesz::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using DF = hn::ScalableTag<float>;
using DD = hn::ScalableTag<double>;
using DH = hn::Rebind<float, DD>;
using DI = hn::RebindToSigned<DF>;
using VF = hn::Vec<DF>;
using VD = hn::Vec<DD>;
constexpr int kFloatLanes = HWY_LANES(float);
constexpr int kDoubleLanes = HWY_LANES(double);
// A group of nodes in registers.
constexpr int kFloats = ExponentialSum::kGroup / kFloatLanes;
constexpr int kDoubles = ExponentialSum::kGroup / kDoubleLanes;
// Sums of nodes are folded to so many lanes first, whatever a register's size.
[[maybe_unused]] constexpr int kFolded = 8;

// e^-x - 1 for x >= 0, relative error 2e-7. Up to 87 only: beyond, e^-x is 0 beside anything.
HWY_INLINE VF DecayMinusOne(DF d, VF x) {
  const DI di;
  x = hn::Min(x, hn::Set(d, 87.0f));
  const VF n = hn::Round(hn::Mul(x, hn::Set(d, 1.44269504f)));
  // -f with x = n ln 2 + f, |f| <= 0.35.
  VF f = hn::NegMulAdd(n, hn::Set(d, 0.693359375f), x);
  f = hn::Neg(hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4f), f));
  VF p = hn::MulAdd(f, hn::Set(d, 1.0f / 720), hn::Set(d, 1.0f / 120));
  p = hn::MulAdd(f, p, hn::Set(d, 1.0f / 24));
  p = hn::MulAdd(f, p, hn::Set(d, 1.0f / 6));
  p = hn::MulAdd(f, p, hn::Set(d, 0.5f));
  p = hn::MulAdd(hn::Mul(f, f), p, f);  // e^f - 1
  const auto bits = hn::ShiftLeft<23>(hn::Sub(hn::Set(di, 127), hn::ConvertTo(di, n)));
  const VF scale = hn::BitCast(d, bits);  // 2^-n
  return hn::MulAdd(scale, p, hn::Sub(scale, hn::Set(d, 1.0f)));
}

// e^(-rate gap) - 1 of a group's nodes.
HWY_INLINE void Decays(const float* HWY_RESTRICT rates, float gap, VD* decays) {
  const DF df;
  const DD dd;
  const DH dh;
  HWY_ALIGN float lanes[ExponentialSum::kGroup];
#pragma GCC unroll 16
  for (int v = 0; v < kFloats; ++v) {
    const VF x = hn::Mul(hn::LoadU(df, rates + v * kFloatLanes), hn::Set(df, gap));
    hn::Store(DecayMinusOne(df, x), df, lanes + v * kFloatLanes);
  }
#pragma GCC unroll 16
  for (int v = 0; v < kDoubles; ++v) {
    decays[v] = hn::PromoteTo(dd, hn::LoadU(dh, lanes + v * kDoubleLanes));
  }
}

// One way over the points, with the states of a group's nodes.
class GroupSlopes {
 public:
  HWY_INLINE explicit GroupSlopes(const double* weights) : weights_(weights) {
#pragma GCC unroll 16
    for (int v = 0; v < kDoubles; ++v) states_[v] = hn::Zero(DD());
  }

  // Takes the states on by `gap`, returns their sum, and adds a point of weight w.
  HWY_INLINE double Step(const float* HWY_RESTRICT rates, float gap, double w) {
    const DD dd;
    VD decays[kDoubles];
    Decays(rates, gap, decays);
#pragma GCC unroll 16
    for (int v = 0; v < kDoubles; ++v) states_[v] = hn::MulAdd(states_[v], decays[v], states_[v]);
    const double sum = Folded();
#pragma GCC unroll 16
    for (int v = 0; v < kDoubles; ++v) {
      states_[v] =
          hn::MulAdd(hn::LoadU(dd, weights_ + v * kDoubleLanes), hn::Set(dd, w), states_[v]);
    }
    return sum;
  }

 private:
  // Halves added to halves, whatever a register's size.
  HWY_INLINE double Folded() const {
#if HWY_TARGET == HWY_AVX3
    const hn::Half<DD> d4;
    const hn::Half<hn::Half<DD>> d2;
    const VD eight = hn::Add(states_[0], states_[1]);
    const auto four = hn::Add(hn::LowerHalf(d4, eight), hn::UpperHalf(d4, eight));
    const auto two = hn::Add(hn::LowerHalf(d2, four), hn::UpperHalf(d2, four));
    return hn::GetLane(hn::Add(two, hn::Shuffle01(two)));
#else
    const DD dd;
    HWY_ALIGN double folded[kFolded];
#pragma GCC unroll 16
    for (int v = 0; v < kDoubles / 2; ++v) {
      hn::Store(hn::Add(states_[v], states_[v + kDoubles / 2]), dd, folded + v * kDoubleLanes);
    }
    return ((folded[0] + folded[4]) + (folded[2] + folded[6])) +
           ((folded[1] + folded[5]) + (folded[3] + folded[7]));
#endif
  }

  const double* weights_;
  VD states_[kDoubles];
};

// sums[k] += sum over the group's nodes of weight * (sum to the left of k - sum to the right).
void AddGroupSlopesImpl(const float* HWY_RESTRICT t, const double* HWY_RESTRICT x_weights,
                        const double* HWY_RESTRICT y_weights, int64_t count,
                        const float* HWY_RESTRICT rates, const double* HWY_RESTRICT weights,
                        double* HWY_RESTRICT sums) {
  // Both ways at once: two recurrences that do not wait for each other.
  GroupSlopes right(weights), left(weights);
  for (int64_t k = 0; k < count; ++k) {
    const int64_t l = count - 1 - k;
    sums[k] += right.Step(rates, k == 0 ? 0.0f : t[k] - t[k - 1], y_weights[k] - x_weights[k]);
    sums[l] += left.Step(rates, k == 0 ? 0.0f : t[l + 1] - t[l], x_weights[l] - y_weights[l]);
  }
}

// pairs[0 .. 2] += sum over the group's nodes of weight * sum_{j<k} w_j w_k e^(-rate (t_k - t_j)),
// with w, the x weights and the y weights.
void AddGroupValuesImpl(const float* HWY_RESTRICT t, const double* HWY_RESTRICT x_weights,
                        const double* HWY_RESTRICT y_weights, int64_t count,
                        const float* HWY_RESTRICT rates, const double* HWY_RESTRICT weights,
                        double* HWY_RESTRICT pairs) {
  const DD dd;
  VD x_states[kDoubles], y_states[kDoubles], decays[kDoubles], totals[3][kDoubles];
#pragma GCC unroll 16
  for (int v = 0; v < kDoubles; ++v) {
    x_states[v] = y_states[v] = totals[0][v] = totals[1][v] = totals[2][v] = hn::Zero(dd);
  }
  for (int64_t k = 0; k < count; ++k) {
    Decays(rates, k == 0 ? 0.0f : t[k] - t[k - 1], decays);
    const VD x = hn::Set(dd, x_weights[k]);
    const VD y = hn::Set(dd, y_weights[k]);
    const VD w = hn::Sub(y, x);
#pragma GCC unroll 16
    for (int v = 0; v < kDoubles; ++v) {
      x_states[v] = hn::MulAdd(x_states[v], decays[v], x_states[v]);
      y_states[v] = hn::MulAdd(y_states[v], decays[v], y_states[v]);
      totals[0][v] = hn::MulAdd(w, hn::Sub(y_states[v], x_states[v]), totals[0][v]);
      totals[1][v] = hn::MulAdd(x, x_states[v], totals[1][v]);
      totals[2][v] = hn::MulAdd(y, y_states[v], totals[2][v]);
      x_states[v] = hn::Add(x_states[v], x);
      y_states[v] = hn::Add(y_states[v], y);
    }
  }
  HWY_ALIGN double lanes[ExponentialSum::kGroup];
  for (int which = 0; which < 3; ++which) {
    for (int v = 0; v < kDoubles; ++v) {
      hn::Store(totals[which][v], dd, lanes + v * kDoubleLanes);
    }
    for (int node = 0; node < ExponentialSum::kGroup; ++node) {
      pairs[which] += weights[node] * lanes[node];
    }
  }
}

// gap^power minus what the exponentials make of it, for 0 <= gap <= cutoff; 0^power is 0.
HWY_INLINE VF Correction(DF d, VF gap, const float* near, float power, VF cutoff, VF scale) {
  const VF share = hn::Div(gap, cutoff);
  const VF z = hn::MulAdd(hn::Set(d, 2.0f), share, hn::Set(d, -1.0f));
  VF sum = hn::Set(d, near[0]);
  for (int q = 1; q < ExponentialSum::kNear; ++q) sum = hn::MulAdd(sum, z, hn::Set(d, near[q]));
  const VF log = hn::Log(d, hn::Max(share, hn::Set(d, 1e-37f)));
  const VF exact = hn::Exp(d, hn::Mul(hn::Set(d, power), log));
  return hn::Mul(scale, hn::Sub(hn::IfThenElseZero(hn::Gt(gap, hn::Zero(d)), exact), sum));
}

// Puts right the pairs within the cut-off: their slopes go to `close`.
void AddCloseSlopesImpl(const float* t, const float* weights, int64_t count, const float* near,
                        float power, double cutoff_value, float* close) {
  const DF d;
  const VF cutoff = hn::Set(d, static_cast<float>(cutoff_value));
  const VF scale = hn::Set(d, static_cast<float>(std::pow(cutoff_value, power)));
  for (int64_t k = 0; k < count; k += kFloatLanes) {
    const VF own = hn::LoadU(d, t + k);
    const VF own_weight = hn::LoadU(d, weights + k);
    VF left = hn::Zero(d);  // what points to the right add
    for (int64_t q = 1; k + q < count; ++q) {
      const VF gap = hn::Sub(hn::LoadU(d, t + k + q), own);
      const auto within = hn::Le(gap, cutoff);
      if (hn::AllFalse(d, within)) break;
      const VF correction =
          hn::IfThenElseZero(within, Correction(d, gap, near, power, cutoff, scale));
      left = hn::MulAdd(correction, hn::LoadU(d, weights + k + q), left);
      hn::StoreU(hn::MulAdd(correction, own_weight, hn::LoadU(d, close + k + q)), d, close + k + q);
    }
    hn::StoreU(hn::Sub(hn::LoadU(d, close + k), left), d, close + k);
  }
}

// pairs[0 .. 2] as in AddGroupValues.
void AddCloseValuesImpl(const float* t, const double* x_weights, const double* y_weights,
                        int64_t count, const float* near, float power, double cutoff_value,
                        double* pairs) {
  const DF d;
  const VF cutoff = hn::Set(d, static_cast<float>(cutoff_value));
  const VF scale = hn::Set(d, static_cast<float>(std::pow(cutoff_value, power)));
  HWY_ALIGN float lanes[kFloatLanes];
  for (int64_t k = 0; k < count; k += kFloatLanes) {
    const VF own = hn::LoadU(d, t + k);
    for (int64_t q = 1; k + q < count; ++q) {
      const VF gap = hn::Sub(hn::LoadU(d, t + k + q), own);
      const auto within = hn::Le(gap, cutoff);
      if (hn::AllFalse(d, within)) break;
      hn::Store(hn::IfThenElseZero(within, Correction(d, gap, near, power, cutoff, scale)), d,
                lanes);
      for (int64_t i = k; i < std::min(k + kFloatLanes, count - q); ++i) {
        const double correction = lanes[i - k];
        pairs[0] +=
            correction * (y_weights[i] - x_weights[i]) * (y_weights[i + q] - x_weights[i + q]);
        pairs[1] += correction * x_weights[i] * x_weights[i + q];
        pairs[2] += correction * y_weights[i] * y_weights[i + q];
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace riesz::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace riesz::cpu {

HWY_EXPORT(AddGroupSlopesImpl);
HWY_EXPORT(AddGroupValuesImpl);
HWY_EXPORT(AddCloseSlopesImpl);
HWY_EXPORT(AddCloseValuesImpl);

namespace {

constexpr int64_t kPadding = 16;  // one vector
// Close pairs put right a point, at most, before another group of nodes is cheaper.
constexpr int64_t kClosePairs = 8;

struct Merged {
  int64_t count = 0;  // different points
  double scale = 1;   // t is a projection times this
};

// Merges sorted x_keys and y_keys into different points with weights. Without branches on the data:
// which side is next cannot be predicted.
int64_t MergeKeys(int64_t n, int64_t m, PowerScratch& s) {
  const uint32_t* x = s.x_keys.data();
  const uint32_t* y = s.y_keys.data();
  int64_t i = 0, j = 0, last = -1;
  uint32_t last_key = 0;
  int64_t x_count = 0, y_count = 0;
  const auto take = [&](uint32_t key, bool from_x) {
    const bool fresh = last < 0 || key != last_key;
    last += fresh;
    last_key = key;
    x_count = (fresh ? 0 : x_count) + from_x;
    y_count = (fresh ? 0 : y_count) + !from_x;
    const auto at = static_cast<size_t>(last);
    s.t[at] = ValueOfKey(key);
    s.x_weights[at] = static_cast<double>(x_count);
    s.y_weights[at] = static_cast<double>(y_count);
  };
  while (i < n && j < m) {
    const bool from_x = x[i] <= y[j];
    take(from_x ? x[i] : y[j], from_x);
    s.place[static_cast<size_t>(i)] = static_cast<int32_t>(last);
    i += from_x;
    j += !from_x;
  }
  for (; i < n; ++i) {
    take(x[i], true);
    s.place[static_cast<size_t>(i)] = static_cast<int32_t>(last);
  }
  for (; j < m; ++j) take(y[j], false);
  return last + 1;
}

// Sorted projections to merged points, scaled by a power of two to a range in [1, 2). False where
// one is not finite.
bool Merge(int64_t n, int64_t m, PowerScratch& s, Merged& merged) {
  merged.count = MergeKeys(n, m, s);
  const auto count = static_cast<size_t>(merged.count);
  const double range = static_cast<double>(s.t[count - 1]) - static_cast<double>(s.t[0]);
  if (!std::isfinite(range)) return false;
  merged.scale = range > 0 ? std::exp2(-std::ilogb(range)) : 1;
  const auto nd = static_cast<double>(n), md = static_cast<double>(m);
  for (size_t k = 0; k < count; ++k) {
    s.t[k] = static_cast<float>(static_cast<double>(s.t[k]) * merged.scale);
    // Divisions: equal shares are equal numbers, and leave exactly nothing.
    s.x_weights[k] /= nd;
    s.y_weights[k] /= md;
  }
  for (size_t k = 0; k < count; ++k) {
    s.weights[k] = static_cast<float>(s.y_weights[k] - s.x_weights[k]);
  }
  std::fill_n(s.t.begin() + merged.count, kPadding, std::numeric_limits<float>::infinity());
  std::fill_n(s.weights.begin() + merged.count, kPadding, 0.0f);
  return true;
}

// Pairs of merged points within the cut-off; counting stops beyond `limit`.
int64_t PairsWithin(const PowerScratch& s, int64_t count, double cutoff, int64_t limit) {
  const auto reach = static_cast<float>(cutoff);
  int64_t pairs = 0, end = 0;
  for (int64_t k = 0; k < count && pairs <= limit; ++k) {
    end = std::max(end, k + 1);
    while (end < count && s.t[static_cast<size_t>(end)] - s.t[static_cast<size_t>(k)] <= reach) {
      ++end;
    }
    pairs += end - k - 1;
  }
  return pairs;
}

struct NodePlan {
  int groups = ExponentialSum::kMinGroups;
  bool close_pairs = false;
};

NodePlan PlanNodes(const PowerScratch& s, int64_t count, const ExponentialSum& power) {
  NodePlan plan;
  const int64_t limit = kClosePairs * count;
  for (;; ++plan.groups) {
    const int64_t pairs = PairsWithin(s, count, power.Cutoff(plan.groups), limit);
    plan.close_pairs = pairs > 0;
    if (pairs <= limit || plan.groups == ExponentialSum::kMaxGroups) return plan;
  }
}

// sum_k w_k (t - t_k)^q sign(t - t_k)^(q+1) over prefix sums: the polynomial's part of the slopes.
void SetPolynomialSlopes(const ExponentialSum& power, int64_t count, PowerScratch& s) {
  const double* c = power.polynomial();
  const auto at = [&](int64_t k) { return static_cast<size_t>(k); };
  const double middle = 0.5 * (static_cast<double>(s.t[0]) + s.t[at(count - 1)]);
  double total[4] = {};
  for (int64_t k = 0; k < count; ++k) {
    const double t = s.t[at(k)] - middle;
    const double w = s.y_weights[at(k)] - s.x_weights[at(k)];
    total[1] += w * t;
    total[2] += w * t * t;
    total[3] += w * t * t * t;
  }
  double left[3] = {};  // of the points before
  for (int64_t k = 0; k < count; ++k) {
    const double t = s.t[at(k)] - middle;
    const double w = s.y_weights[at(k)] - s.x_weights[at(k)];
    // Left minus right; the weights add to 0.
    const double d0 = 2 * left[0] + w;
    const double d1 = 2 * left[1] + w * t - total[1];
    const double d2 = 2 * left[2] + w * t * t - total[2];
    left[0] += w;
    left[1] += w * t;
    left[2] += w * t * t;
    s.sums[at(k)] = c[0] * d0 - c[1] * total[1] + c[2] * (t * t * d0 - 2 * t * d1 + d2) +
                    c[3] * (3 * t * (total[2] - t * total[1]) - total[3]);
  }
}

void SetSlopes(const ExponentialSum& power, int64_t count, PowerScratch& s) {
  SetPolynomialSlopes(power, count, s);
  const NodePlan plan = PlanNodes(s, count, power);
  for (int group = 0; group < plan.groups; ++group) {
    HWY_DYNAMIC_DISPATCH(AddGroupSlopesImpl)
    (s.t.data(), s.x_weights.data(), s.y_weights.data(), count,
     power.rates() + group * ExponentialSum::kGroup,
     power.weights() + group * ExponentialSum::kGroup, s.sums.data());
  }
  if (!plan.close_pairs) return;
  std::fill_n(s.close.begin(), count + kPadding, 0.0f);
  HWY_DYNAMIC_DISPATCH(AddCloseSlopesImpl)
  (s.t.data(), s.weights.data(), count, power.near(), static_cast<float>(power.power()),
   power.Cutoff(plan.groups), s.close.data());
  for (size_t k = 0; k < static_cast<size_t>(count); ++k) s.sums[k] += s.close[k];
}

// sum_{j<k} w_j w_k P(t_k - t_j) with one of the three weights, point by point.
class PolynomialPairs {
 public:
  void Add(double w, double t) {
    const double t2 = t * t;
    squares_ += w * w;
    linear_ += w * (t * moments_[0] - moments_[1]);
    cubic_ += w * (t * (t * (t * moments_[0] - 3 * moments_[1]) + 3 * moments_[2]) - moments_[3]);
    moments_[0] += w;
    moments_[1] += w * t;
    moments_[2] += w * t2;
    moments_[3] += w * t2 * t;
  }
  double Sum(const double* c, double total_weight) const {
    return c[0] * (total_weight * total_weight - squares_) / 2 + c[1] * linear_ +
           c[2] * (total_weight * moments_[2] - moments_[1] * moments_[1]) + c[3] * cubic_;
  }

 private:
  double squares_ = 0, linear_ = 0, cubic_ = 0;
  double moments_[4] = {};
};

SliceValue ValueOfMerged(const ExponentialSum& power, const Merged& merged, PowerScratch& s) {
  const int64_t count = merged.count;
  const double middle = 0.5 * (static_cast<double>(s.t[0]) + s.t[static_cast<size_t>(count - 1)]);
  PolynomialPairs both, x, y;
  for (size_t k = 0; k < static_cast<size_t>(count); ++k) {
    const double t = s.t[k] - middle;
    both.Add(s.y_weights[k] - s.x_weights[k], t);
    x.Add(s.x_weights[k], t);
    y.Add(s.y_weights[k], t);
  }
  double pairs[3] = {both.Sum(power.polynomial(), 0), x.Sum(power.polynomial(), 1),
                     y.Sum(power.polynomial(), 1)};
  const NodePlan plan = PlanNodes(s, count, power);
  for (int group = 0; group < plan.groups; ++group) {
    HWY_DYNAMIC_DISPATCH(AddGroupValuesImpl)
    (s.t.data(), s.x_weights.data(), s.y_weights.data(), count,
     power.rates() + group * ExponentialSum::kGroup,
     power.weights() + group * ExponentialSum::kGroup, pairs);
  }
  if (plan.close_pairs) {
    HWY_DYNAMIC_DISPATCH(AddCloseValuesImpl)
    (s.t.data(), s.x_weights.data(), s.y_weights.data(), count, power.near(),
     static_cast<float>(power.power()), power.Cutoff(plan.groups), pairs);
  }
  const double unit = std::pow(merged.scale, -power.power());
  // Rounding may leave a little below 0 where the value is 0.
  const double distance = -2 * pairs[0] * unit;
  return {.energy_distance = distance < 0 ? 0.0 : distance,
          .x_spread = pairs[1] * unit,
          .y_spread = pairs[2] * unit};
}

SliceValue NoValue() {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  return {.energy_distance = kNan, .x_spread = kNan, .y_spread = kNan};
}

}  // namespace

PowerScratch::PowerScratch(int64_t n, int64_t m)
    : work(static_cast<size_t>(n)),
      indices(static_cast<size_t>(n)),
      x_keys(static_cast<size_t>(n)),
      y_keys(static_cast<size_t>(m)),
      place(static_cast<size_t>(n)),
      t(static_cast<size_t>(n + m + kPadding)),
      x_weights(t.size()),
      y_weights(t.size()),
      weights(t.size()),
      close(t.size()),
      sums(t.size()) {}

int64_t PowerScratch::Bytes(int64_t n, int64_t m) {
  return 20 * n + 4 * m + 36 * (n + m + kPadding);
}

PowerSlices::PowerSlices(double exponent)
    : exponent_(exponent), value_(exponent), slope_(exponent - 1) {}

void PowerSlices::Velocities(float* x, int64_t n, const float* y, int64_t m, PowerScratch& s,
                             SliceValue* value) const {
  SortKeysWithIndex(x, n, s.work.data(), s.x_keys.data(), s.indices.data());
  SortKeys(y, m, s.y_keys.data());
  Merged merged;
  if (!Merge(n, m, s, merged)) {
    std::fill_n(x, n, std::numeric_limits<float>::quiet_NaN());
    if (value != nullptr) *value = NoValue();
    return;
  }
  SetSlopes(slope_, merged.count, s);
  const double unit = exponent_ * std::pow(merged.scale, -slope_.power());
  for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
    x[s.indices[i]] = static_cast<float>(unit * s.sums[static_cast<size_t>(s.place[i])]);
  }
  if (value != nullptr) *value = ValueOfMerged(value_, merged, s);
}

SliceValue PowerSlices::Measure(const float* x, int64_t n, const float* y, int64_t m,
                                PowerScratch& s) const {
  SortKeys(x, n, s.x_keys.data());
  SortKeys(y, m, s.y_keys.data());
  Merged merged;
  if (!Merge(n, m, s, merged)) return NoValue();
  return ValueOfMerged(value_, merged, s);
}

}  // namespace riesz::cpu
#endif  // HWY_ONCE
