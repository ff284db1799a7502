#include "core/backend/cpu/sort.h"

#include <bit>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/backend/cpu/sort.cc"
// clang-format off
#include "hwy/foreach_target.h"  // must come first
#include "hwy/contrib/sort/vqsort.h"
#include "hwy/highway.h"
// clang-format on

// Why vqsort is compiled here for AVX-512 instead of called: its partition compresses vectors
// straight to memory, which Zen 4 does in microcode. Compressing in a register and storing the
// whole vector takes 2.8 instead of 21 ns a 32-bit key and 5.3 instead of 7.5 ns a 64-bit key (n =
// 10,000). The macros rename exactly the three operations within Highway's header; other targets
// call the library.
#if HWY_TARGET == HWY_AVX3
HWY_BEFORE_NAMESPACE();
namespace hwy {
namespace HWY_NAMESPACE {

template <class T>
struct NeverPartition {
  static constexpr bool value = false;
};
HWY_INLINE Vec512<uint32_t> RegisterCompress(Vec512<uint32_t> v, Mask512<uint32_t> mask) {
  return Vec512<uint32_t>{_mm512_maskz_compress_epi32(mask.raw, v.raw)};
}
HWY_INLINE Vec512<uint64_t> RegisterCompress(Vec512<uint64_t> v, Mask512<uint64_t> mask) {
  return Vec512<uint64_t>{_mm512_maskz_compress_epi64(mask.raw, v.raw)};
}
template <class V, class M, class D, class T>
HWY_INLINE size_t RegisterCompressStore(V v, M mask, D d, T* HWY_RESTRICT to) {
  StoreU(RegisterCompress(v, mask), d, to);
  return CountTrue(d, mask);
}
template <class V, class M, class D, class T>
HWY_INLINE size_t RegisterCompressBlendedStore(V v, M mask, D d, T* HWY_RESTRICT to) {
  const size_t count = CountTrue(d, mask);
  BlendedStore(RegisterCompress(v, mask), FirstN(d, count), d, to);
  return count;
}

namespace detail {

// Found before the library's own, which asks the system for random bytes at every sort: 5 % of a
// slice of 1,000 points. Pivots need no secrets: past a depth the sort goes over to heapsort.
struct Sorter {
  static void Fill24Bytes(const void*, size_t count, void* bytes) {
    const uint64_t seed[3] = {0x9e3779b97f4a7c15 ^ count, 0xbf58476d1ce4e5b9, 0x94d049bb133111eb};
    std::memcpy(bytes, seed, sizeof seed);
  }
};

}  // namespace detail
}  // namespace HWY_NAMESPACE
}  // namespace hwy
HWY_AFTER_NAMESPACE();
#define CompressStore RegisterCompressStore
#define CompressBlendedStore RegisterCompressBlendedStore
#define CompressIsPartition NeverPartition
#endif  // HWY_AVX3
#include "hwy/contrib/sort/traits-inl.h"
#include "hwy/contrib/sort/vqsort-inl.h"
#undef CompressStore
#undef CompressBlendedStore
#undef CompressIsPartition

HWY_BEFORE_NAMESPACE();
namespace riesz::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <typename T>
void Sort(T* keys, int64_t count) {
#if HWY_TARGET == HWY_AVX3
  const hn::SortTag<T> d;
  const hn::detail::SharedTraits<hn::detail::TraitsLane<hn::detail::OrderAscending<T>>> ascending;
  hn::Sort(d, ascending, keys, static_cast<size_t>(count), static_cast<T*>(nullptr));
#else
  hwy::Sorter()(keys, static_cast<size_t>(count), hwy::SortAscending());
#endif
}

// Adding +0 turns -0 into +0 and changes nothing else.
template <class D32>
HWY_INLINE hn::Vec<D32> Keys(D32 d, const float* values) {
  const hn::Rebind<float, D32> df;
  const hn::Rebind<int32_t, D32> di;
  const auto bits = hn::BitCast(di, hn::Add(hn::LoadU(df, values), hn::Zero(df)));
  const auto flip = hn::Or(hn::ShiftRight<31>(bits), hn::Set(di, INT32_MIN));
  return hn::BitCast(d, hn::Xor(bits, flip));
}

HWY_INLINE uint32_t Key(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value + 0.0f);
  return (bits >> 31) != 0 ? ~bits : bits | 0x80000000u;
}

void SortKeysImpl(const float* values, int64_t count, uint32_t* keys) {
  const hn::ScalableTag<uint32_t> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) hn::StoreU(Keys(d, values + i), d, keys + i);
  for (; i < count; ++i) keys[i] = Key(values[i]);
  Sort(keys, count);
}

void SortPairs(const float* values, int64_t count, uint64_t* work, uint32_t* keys,
               uint32_t* indices) {
  const hn::ScalableTag<uint64_t> d;
  const hn::Rebind<uint32_t, decltype(d)> d32;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  auto index = hn::Iota(d, 0);
  const auto next = hn::Set(d, static_cast<uint64_t>(lanes));
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto key = hn::PromoteTo(d, Keys(d32, values + i));
    hn::StoreU(hn::Or(hn::ShiftLeft<32>(key), index), d, work + i);
    index = hn::Add(index, next);
  }
  for (; i < count; ++i) {
    work[i] = (static_cast<uint64_t>(Key(values[i])) << 32) | static_cast<uint64_t>(i);
  }
  Sort(work, count);
  for (int64_t k = 0; k < count; ++k) {
    keys[k] = static_cast<uint32_t>(work[k] >> 32);
    indices[k] = static_cast<uint32_t>(work[k]);
  }
}

// Writes cell << index_bits | index of every value. False when the range is no use for a grid.
bool WriteCells(const float* values, int64_t count, int index_bits, uint32_t* cells) {
  const hn::ScalableTag<float> d;
  const hn::RebindToUnsigned<decltype(d)> du;
  const hn::RebindToSigned<decltype(d)> di;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  auto low = hn::Set(d, values[0]);
  auto high = low;
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto v = hn::LoadU(d, values + i);
    low = hn::Min(low, v);
    high = hn::Max(high, v);
  }
  float least = hn::GetLane(hn::MinOfLanes(d, low));
  float most = hn::GetLane(hn::MaxOfLanes(d, high));
  for (; i < count; ++i) {
    least = values[i] < least ? values[i] : least;
    most = values[i] > most ? values[i] : most;
  }
  // A little below the number of cells: rounding must not lift the largest value to it.
  const float last_cell = static_cast<float>(uint32_t{1} << (32 - index_bits)) * (1 - 0x1p-16f);
  const float scale = last_cell / (most - least);
  if (!(scale > 0 && scale < 1e30f)) return false;
  const auto shift = hn::Set(d, least);
  const auto factor = hn::Set(d, scale);
  auto index = hn::Iota(du, 0);
  for (i = 0; i + lanes <= count; i += lanes) {
    const auto place = hn::Mul(hn::Sub(hn::LoadU(d, values + i), shift), factor);
    const auto cell = hn::BitCast(du, hn::ConvertTo(di, place));
    hn::StoreU(hn::Or(hn::ShiftLeftSame(cell, index_bits), index), du, cells + i);
    index = hn::Add(index, hn::Set(du, static_cast<uint32_t>(lanes)));
  }
  for (; i < count; ++i) {
    const auto cell = static_cast<uint32_t>(static_cast<int32_t>((values[i] - least) * scale));
    cells[i] = (cell << index_bits) | static_cast<uint32_t>(i);
  }
  return true;
}

// False when too many neighbours of one cell are in the wrong order for insertion to be cheap.
bool SortCells(const float* values, int64_t count, uint32_t* cells, uint32_t* keys,
               uint32_t* indices) {
  const auto index_bits = static_cast<int>(hwy::CeilLog2(static_cast<size_t>(count)));
  if (!WriteCells(values, count, index_bits, cells)) return false;
  Sort(cells, count);
  const uint32_t mask = (uint32_t{1} << index_bits) - 1;
  int64_t wrong = 0;
  uint32_t before = 0;
  for (int64_t k = 0; k < count; ++k) {
    const uint32_t index = cells[k] & mask;
    const uint32_t key = Key(values[index]);
    indices[k] = index;
    keys[k] = key;
    wrong += key < before;
    before = key;
  }
  if (wrong > count / 16) return false;
  for (int64_t k = 1; k < count && wrong > 0; ++k) {
    const uint32_t key = keys[k];
    if (key >= keys[k - 1]) [[likely]]
      continue;
    const uint32_t index = indices[k];
    int64_t to = k;
    for (; to > 0 && keys[to - 1] > key; --to) {
      keys[to] = keys[to - 1];
      indices[to] = indices[to - 1];
    }
    keys[to] = key;
    indices[to] = index;
  }
  return true;
}

void SortKeysWithIndexImpl(const float* values, int64_t count, uint64_t* work, uint32_t* keys,
                           uint32_t* indices) {
  constexpr int64_t kMinCells = 64, kMaxCells = 1 << 14;
  if (count >= kMinCells && count <= kMaxCells &&
      SortCells(values, count, reinterpret_cast<uint32_t*>(work), keys, indices)) {
    return;
  }
  SortPairs(values, count, work, keys, indices);
}

}  // namespace HWY_NAMESPACE
}  // namespace riesz::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace riesz::cpu {

HWY_EXPORT(SortKeysImpl);
HWY_EXPORT(SortKeysWithIndexImpl);

void SortKeys(const float* values, int64_t count, uint32_t* keys) {
  HWY_DYNAMIC_DISPATCH(SortKeysImpl)(values, count, keys);
}

void SortKeysWithIndex(const float* values, int64_t count, uint64_t* work, uint32_t* keys,
                       uint32_t* indices) {
  HWY_DYNAMIC_DISPATCH(SortKeysWithIndexImpl)(values, count, work, keys, indices);
}

float ValueOfKey(uint32_t key) {
  return std::bit_cast<float>((key >> 31) != 0 ? key & 0x7fffffffu : ~key);
}

}  // namespace riesz::cpu
#endif  // HWY_ONCE
