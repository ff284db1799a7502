#include "core/backend/cpu/split.h"

#include <algorithm>
#include <bit>

#include "core/backend/cpu/panels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/backend/cpu/split.cc"
// clang-format off
#include "hwy/foreach_target.h"  // must come first
#include "hwy/highway.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace riesz::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using DF = hn::CappedTag<float, 16>;
using DU = hn::RebindToUnsigned<DF>;
constexpr int64_t kLanes = HWY_MIN(HWY_LANES(float), 16);

// Bits of the nearest bfloat16, ties to even; the lower half is 0.
HWY_INLINE hn::Vec<DU> Rounded(hn::Vec<DF> v) {
  const DU d;
  const auto bits = hn::BitCast(d, v);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(d, 1u));
  const auto up = hn::Add(bits, hn::Add(odd, hn::Set(d, 0x7fffu)));
  return hn::And(up, hn::Set(d, 0xffff0000u));
}

void SplitPanelImpl(const float* panel, int64_t row_stride, int64_t depth, float scale,
                    Bfloat16* tiles) {
  const DF df;
  const DU du;
  const auto factor = hn::Set(df, scale);
  for (int64_t k = 0; k < DepthTiles(depth) * kTileDepth; k += 2) {
    Bfloat16* tile =
        tiles + k / kTileDepth * kSplitPieces * 2 * kTileNumbers + k % kTileDepth / 2 * kTileDepth;
    for (int64_t r = 0; r < kPanelRows; r += kLanes) {
      const float* from = panel + k * row_stride + r;
      auto even = k < depth ? hn::Mul(hn::LoadU(df, from), factor) : hn::Zero(df);
      auto odd = k + 1 < depth ? hn::Mul(hn::LoadU(df, from + row_stride), factor) : hn::Zero(df);
      Bfloat16* to = tile + r / kTileSide * kTileNumbers + r % kTileSide * 2;
      for (int piece = 0; piece < kSplitPieces; ++piece) {
        const auto even_bits = Rounded(even);
        const auto odd_bits = Rounded(odd);
        hn::StoreU(hn::Or(hn::ShiftRight<16>(even_bits), odd_bits), du,
                   reinterpret_cast<uint32_t*>(to + piece * 2 * kTileNumbers));
        even = hn::Sub(even, hn::BitCast(df, even_bits));
        odd = hn::Sub(odd, hn::BitCast(df, odd_bits));
      }
    }
  }
}

bool RunsAvx512Impl() { return HWY_TARGET == HWY_AVX3; }

void SplitCoordinatesImpl(const float* panel, int64_t dim, int64_t row_numbers, Bfloat16* tiles) {
  const DF df;
  const hn::RebindToSigned<DF> di;
  const hn::Rebind<Bfloat16, DF> d16;
  for (int64_t k = 0; k < RowTiles(dim) * kTileSide; ++k) {
    Bfloat16* row = tiles + k / kTileSide * row_numbers + k % kTileSide * kTileDepth;
    for (int64_t r = 0; r < kPanelRows; r += kLanes) {
      auto rest = k < dim ? hn::LoadU(df, panel + k * kPanelRows + r) : hn::Zero(df);
      for (int piece = 0; piece < kSplitPieces; ++piece) {
        const auto bits = Rounded(rest);
        hn::StoreU(hn::DemoteTo(d16, hn::BitCast(di, hn::ShiftRight<16>(bits))), d16,
                   row + piece * kTileNumbers + r);
        rest = hn::Sub(rest, hn::BitCast(df, bits));
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace riesz::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace riesz::cpu {

HWY_EXPORT(SplitPanelImpl);
HWY_EXPORT(SplitCoordinatesImpl);
HWY_EXPORT(RunsAvx512Impl);

namespace {

Bfloat16 UpperHalf(float value) {
  return static_cast<Bfloat16>(std::bit_cast<uint32_t>(value) >> 16);
}

}  // namespace

bool RunsAvx512() { return HWY_DYNAMIC_DISPATCH(RunsAvx512Impl)(); }

void SplitPanel(const float* panel, int64_t row_stride, int64_t depth, float scale,
                Bfloat16* tiles) {
  HWY_DYNAMIC_DISPATCH(SplitPanelImpl)(panel, row_stride, depth, scale, tiles);
}

void SplitCoordinates(const float* panel, int64_t dim, int64_t row_numbers, Bfloat16* tiles) {
  HWY_DYNAMIC_DISPATCH(SplitCoordinatesImpl)(panel, dim, row_numbers, tiles);
}

// A half of a panel's tile holds pairs of numbers as (pair, particle); a row tile (particle, pair).
void RowTilesOfPanel(const Bfloat16* panel_tiles, int64_t depth, int64_t row_numbers,
                     Bfloat16* tiles) {
  constexpr int64_t kPairs = kTileDepth / 2;
  for (int64_t t = 0; t < DepthTiles(depth) * kSplitPieces; ++t) {
    for (int half = 0; half < 2; ++half) {
      const auto* from =
          reinterpret_cast<const uint32_t*>(panel_tiles + (t * 2 + half) * kTileNumbers);
      auto* to = reinterpret_cast<uint32_t*>(tiles + half * row_numbers + t * kTileNumbers);
      for (int64_t i = 0; i < kTileSide; ++i) {
        for (int64_t k = 0; k < kPairs; ++k) to[i * kPairs + k] = from[k * kTileSide + i];
      }
    }
  }
}

void PackRowTiles(const float* rows, int64_t stride, int64_t count, int64_t depth,
                  int64_t first_tile, Bfloat16* tiles) {
  for (int64_t t = 0; t < DepthTiles(depth); ++t) {
    Bfloat16* tile = tiles + (first_tile + t) * kTileNumbers;
    std::fill_n(tile, kTileNumbers, Bfloat16{0});
    const int64_t end = std::min(kTileDepth, depth - t * kTileDepth);
    for (int64_t i = 0; i < count; ++i) {
      const float* from = rows + i * stride + t * kTileDepth;
      for (int64_t k = 0; k < end; ++k) tile[i * kTileDepth + k] = UpperHalf(from[k]);
    }
  }
}

void PackColumnTiles(const float* columns, int64_t stride, int64_t count, int64_t depth,
                     int64_t first_tile, Bfloat16* tiles) {
  for (int64_t t = 0; t < DepthTiles(depth); ++t) {
    Bfloat16* tile = tiles + (first_tile + t) * kTileNumbers;
    std::fill_n(tile, kTileNumbers, Bfloat16{0});
    const int64_t end = std::min(kTileDepth, depth - t * kTileDepth);
    for (int64_t k = 0; k < end; ++k) {
      const float* from = columns + (t * kTileDepth + k) * stride;
      for (int64_t i = 0; i < count; ++i) tile[i * kTileDepth + k] = UpperHalf(from[i]);
    }
  }
}

}  // namespace riesz::cpu
#endif  // HWY_ONCE
