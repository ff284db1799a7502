#include "core/backend/cpu/sort.h"

#include <bit>

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

void SortKeysWithIndexImpl(const float* values, int64_t count, uint64_t* keys) {
  const hn::ScalableTag<uint64_t> d;
  const hn::Rebind<uint32_t, decltype(d)> d32;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  auto index = hn::Iota(d, 0);
  const auto next = hn::Set(d, static_cast<uint64_t>(lanes));
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto key = hn::PromoteTo(d, Keys(d32, values + i));
    hn::StoreU(hn::Or(hn::ShiftLeft<32>(key), index), d, keys + i);
    index = hn::Add(index, next);
  }
  for (; i < count; ++i) {
    keys[i] = (static_cast<uint64_t>(Key(values[i])) << 32) | static_cast<uint64_t>(i);
  }
  Sort(keys, count);
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

void SortKeysWithIndex(const float* values, int64_t count, uint64_t* keys) {
  HWY_DYNAMIC_DISPATCH(SortKeysWithIndexImpl)(values, count, keys);
}

float ValueOfKey(uint32_t key) {
  return std::bit_cast<float>((key >> 31) != 0 ? key & 0x7fffffffu : ~key);
}

}  // namespace riesz::cpu
#endif  // HWY_ONCE
