#include "core/backend/cpu/panel_sums.h"

#include <algorithm>
#include <bit>

#include "core/backend/cpu/panels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/backend/cpu/panel_sums.cc"
// clang-format off
#include "hwy/foreach_target.h"  // must come first
#include "hwy/highway.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace riesz::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D64 = hn::CappedTag<double, 8>;
using D32 = hn::Rebind<float, D64>;
constexpr int64_t kLanes = HWY_MIN(HWY_LANES(double), 8);
// Vectors of particles at a time: their sums stay in registers.
constexpr int kVectors = 4;

template <bool kAdd>
HWY_INLINE void SquaresOf(const float* panel, int64_t stride, int64_t depth, float* total,
                          double* squares) {
  const D64 d64;
  const D32 d32;
  for (int64_t r = 0; r < kPanelRows; r += kVectors * kLanes) {
    hn::Vec<D64> sums[kVectors];
    for (int v = 0; v < kVectors; ++v) sums[v] = hn::LoadU(d64, squares + r + v * kLanes);
    for (int64_t k = 0; k < depth; ++k) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        const auto values = hn::LoadU(d32, panel + k * stride + r + v * kLanes);
        if constexpr (kAdd) {
          float* to = total + k * kPanelRows + r + v * kLanes;
          hn::StoreU(hn::Add(hn::LoadU(d32, to), values), d32, to);
        }
        const auto wide = hn::PromoteTo(d64, values);
        sums[v] = hn::MulAdd(wide, wide, sums[v]);
      }
    }
    for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[v], d64, squares + r + v * kLanes);
  }
}

void AddPanelSquaresImpl(const float* panel, int64_t stride, int64_t depth, double* squares) {
  SquaresOf<false>(panel, stride, depth, nullptr, squares);
}

// Magnitudes are ordered as the integers of their bits are, infinities and NaN above all others.
uint32_t LargestBitsImpl(const float* values, int64_t count) {
  const hn::ScalableTag<uint32_t> d;
  const hn::Rebind<float, decltype(d)> df;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto magnitude = hn::Set(d, 0x7fffffffu);
  auto most = hn::Zero(d);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    most = hn::Max(most, hn::And(hn::BitCast(d, hn::LoadU(df, values + i)), magnitude));
  }
  uint32_t bits = hn::GetLane(hn::MaxOfLanes(d, most));
  for (; i < count; ++i) bits = std::max(bits, std::bit_cast<uint32_t>(values[i]) & 0x7fffffffu);
  return bits;
}

void AddPanelImpl(const float* sums, int64_t depth, float* total, double* squares) {
  SquaresOf<true>(sums, kPanelRows, depth, total, squares);
}

}  // namespace HWY_NAMESPACE
}  // namespace riesz::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace riesz::cpu {

HWY_EXPORT(AddPanelSquaresImpl);
HWY_EXPORT(AddPanelImpl);
HWY_EXPORT(LargestBitsImpl);

void AddPanelSquares(const float* panel, int64_t stride, int64_t depth, double* squares) {
  HWY_DYNAMIC_DISPATCH(AddPanelSquaresImpl)(panel, stride, depth, squares);
}

void AddPanel(const float* sums, int64_t depth, float* total, double* squares) {
  HWY_DYNAMIC_DISPATCH(AddPanelImpl)(sums, depth, total, squares);
}

float LargestMagnitude(const float* values, int64_t count) {
  constexpr uint32_t kInfinity = 0x7f800000u;
  return std::bit_cast<float>(
      std::min(HWY_DYNAMIC_DISPATCH(LargestBitsImpl)(values, count), kInfinity));
}

}  // namespace riesz::cpu
#endif  // HWY_ONCE
