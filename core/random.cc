#include "core/random.h"

#include <cstring>
#include <unordered_map>

#include "core/check.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/random.cc"
#include "hwy/foreach_target.h"  // must come before highway.h
#include "hwy/highway.h"

#ifndef RIESZ_CORE_RANDOM_ONCE
#define RIESZ_CORE_RANDOM_ONCE
namespace riesz {

// Philox's multipliers and key increments (Random123, philox.h).
inline constexpr uint32_t kMultiplier0 = 0xD2511F53;
inline constexpr uint32_t kMultiplier1 = 0xCD9E8D57;
inline constexpr uint32_t kWeyl0 = 0x9E3779B9;
inline constexpr uint32_t kWeyl1 = 0xBB67AE85;
inline constexpr int kRounds = 10;

// What all blocks of a row share: the counter but for its first word, and the key.
struct RowKey {
  uint32_t counter[3];
  uint32_t key[2];
};

}  // namespace riesz
#endif  // RIESZ_CORE_RANDOM_ONCE

HWY_BEFORE_NAMESPACE();
namespace riesz::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using DF = hn::ScalableTag<float>;
using DU = hn::RebindToUnsigned<DF>;
using DI = hn::RebindToSigned<DF>;
using F = hn::Vec<DF>;
using U = hn::Vec<DU>;
constexpr int64_t kLanes = HWY_LANES(float);

// 128 random bits a lane, one lane per block.
struct Bits {
  U word[4];
};

// 32 x 32 -> 64 bits, lane by lane.
HWY_INLINE void MultiplyWide(U a, uint32_t multiplier, U& high, U& low) {
  const DU du;
#if HWY_TARGET == HWY_SCALAR
  const uint64_t product = uint64_t{hn::GetLane(a)} * multiplier;
  high = hn::Set(du, static_cast<uint32_t>(product >> 32));
  low = hn::Set(du, static_cast<uint32_t>(product));
#else
  const hn::Repartition<uint64_t, DU> d64;
  const U b = hn::Set(du, multiplier);
  const auto even = hn::MulEven(a, b);
  const auto odd = hn::MulEven(hn::BitCast(du, hn::ShiftRight<32>(hn::BitCast(d64, a))), b);
  high = hn::OddEven(hn::BitCast(du, odd), hn::BitCast(du, hn::ShiftRight<32>(even)));
  low = hn::OddEven(hn::BitCast(du, hn::ShiftLeft<32>(odd)), hn::BitCast(du, even));
#endif
}

// Blocks first .. first + kLanes - 1 of a row.
HWY_INLINE Bits Generate(const RowKey& row, uint32_t first) {
  const DU du;
  Bits c = {{hn::Iota(du, first), hn::Set(du, row.counter[0]), hn::Set(du, row.counter[1]),
             hn::Set(du, row.counter[2])}};
  uint32_t key0 = row.key[0];
  uint32_t key1 = row.key[1];
#pragma GCC unroll 10
  for (int round = 0; round < kRounds; ++round) {
    U high0, low0, high1, low1;
    MultiplyWide(c.word[0], kMultiplier0, high0, low0);
    MultiplyWide(c.word[2], kMultiplier1, high1, low1);
    c = {{hn::Xor(hn::Xor(high1, c.word[1]), hn::Set(du, key0)), low1,
          hn::Xor(hn::Xor(high0, c.word[3]), hn::Set(du, key1)), low0}};
    key0 += kWeyl0;
    key1 += kWeyl1;
  }
  return c;
}

// x * p + c, rounded twice on purpose: fused where a processor can would change the bits.
HWY_INLINE F Horner(F x, F p, float c) { return hn::Add(hn::Mul(x, p), hn::Set(DF(), c)); }

// -2 ln u for u = (floor(bits / 2) + 1/2) 2^-31 in (0, 1) (Cephes, logf.c).
HWY_INLINE F MinusTwoLog(U bits) {
  const DF df;
  const DI di;
  // At most the float before 2^31: at u = 1 both normals of a pair would be 0, and a direction of
  // the plane with them.
  const auto scaled = hn::Min(
      hn::Add(hn::ConvertTo(df, hn::BitCast(di, hn::ShiftRight<1>(bits))), hn::Set(df, 0.5f)),
      hn::Set(df, 2147483520.0f));
  // scaled = mantissa * 2^exponent with the mantissa in [sqrt(1/2), sqrt(2)).
  const auto pattern = hn::BitCast(di, scaled);
  const auto exponent = hn::ShiftRight<23>(hn::Sub(pattern, hn::Set(di, 0x3f3504f3)));
  const F mantissa = hn::BitCast(df, hn::Sub(pattern, hn::ShiftLeft<23>(exponent)));
  const F e = hn::ConvertTo(df, hn::Sub(exponent, hn::Set(di, 31)));
  const F x = hn::Sub(mantissa, hn::Set(df, 1.0f));
  F p = hn::Set(df, 7.0376836292e-2f);
  p = Horner(x, p, -1.1514610310e-1f);
  p = Horner(x, p, 1.1676998740e-1f);
  p = Horner(x, p, -1.2420140846e-1f);
  p = Horner(x, p, 1.4249322787e-1f);
  p = Horner(x, p, -1.6668057665e-1f);
  p = Horner(x, p, 2.0000714765e-1f);
  p = Horner(x, p, -2.4999993993e-1f);
  p = Horner(x, p, 3.3333331174e-1f);
  const F x2 = hn::Mul(x, x);
  F tail = hn::Mul(hn::Mul(p, x), x2);
  tail = hn::Add(tail, hn::Mul(e, hn::Set(df, -2.12194440e-4f)));
  tail = hn::Sub(tail, hn::Mul(x2, hn::Set(df, 0.5f)));
  const F log = hn::Add(hn::Add(x, tail), hn::Mul(e, hn::Set(df, 0.693359375f)));
  return hn::Mul(log, hn::Set(df, -2.0f));
}

// Sine and cosine of 2 pi (bits 2^-32 - 1/8) (Cephes, sinf.c): the top two bits choose the
// quadrant, the rest an angle in [-pi/4, pi/4).
HWY_INLINE void SinCos(U bits, F& sine, F& cosine) {
  const DF df;
  const DU du;
  const DI di;
  const auto rest = hn::BitCast(di, hn::And(bits, hn::Set(du, 0x3fffffffu)));
  const F x = hn::Mul(hn::ConvertTo(df, hn::Sub(rest, hn::Set(di, 1 << 29))),
                      hn::Set(df, 1.57079632679f * 0x1p-30f));
  const F z = hn::Mul(x, x);
  F p = Horner(z, hn::Set(df, -1.9515295891e-4f), 8.3321608736e-3f);
  p = Horner(z, p, -1.6666654611e-1f);
  const F s = hn::Add(hn::Mul(hn::Mul(p, z), x), x);
  F q = Horner(z, hn::Set(df, 2.443315711809948e-5f), -1.388731625493765e-3f);
  q = Horner(z, q, 4.166664568298827e-2f);
  const F c =
      hn::Add(hn::Sub(hn::Mul(hn::Mul(q, z), z), hn::Mul(z, hn::Set(df, 0.5f))), hn::Set(df, 1.0f));
  // Quadrants 0..3: (c, s), (-s, c), (-c, -s), (s, -c).
  const auto quadrant = hn::ShiftRight<30>(bits);
  const auto one = hn::Set(du, 1u);
  const auto swap = hn::RebindMask(df, hn::Eq(hn::And(quadrant, one), one));
  const auto sine_sign = hn::ShiftLeft<31>(hn::ShiftRight<1>(quadrant));
  const auto cosine_sign = hn::ShiftLeft<31>(hn::ShiftRight<1>(hn::Add(quadrant, one)));
  sine = hn::Xor(hn::IfThenElse(swap, c, s), hn::BitCast(df, sine_sign));
  cosine = hn::Xor(hn::IfThenElse(swap, s, c), hn::BitCast(df, cosine_sign));
}

struct Normals {
  HWY_INLINE void operator()(const Bits& bits, F out[4]) const {
#pragma GCC unroll 2
    for (int pair = 0; pair < 4; pair += 2) {
      const F radius = hn::Sqrt(MinusTwoLog(bits.word[pair]));
      F sine, cosine;
      SinCos(bits.word[pair + 1], sine, cosine);
      out[pair] = hn::Mul(radius, cosine);
      out[pair + 1] = hn::Mul(radius, sine);
    }
  }
};

struct Uniforms {
  HWY_INLINE void operator()(const Bits& bits, F out[4]) const {
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
      const auto top = hn::BitCast(DI(), hn::ShiftRight<8>(bits.word[k]));
      out[k] = hn::Mul(hn::ConvertTo(DF(), top), hn::Set(DF(), 0x1p-24f));
    }
  }
};

template <class Transform>
HWY_INLINE void Fill(const RowKey& row, float* HWY_RESTRICT out, int64_t n) {
  const DF df;
  const Transform transform;
  F values[4];
  uint32_t block = 0;
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes, block += kLanes) {
    transform(Generate(row, block), values);
    hn::StoreInterleaved4(values[0], values[1], values[2], values[3], df, out + i);
  }
  if (i < n) {
    HWY_ALIGN float rest[4 * kLanes];
    transform(Generate(row, block), values);
    hn::StoreInterleaved4(values[0], values[1], values[2], values[3], df, rest);
    std::memcpy(out + i, rest, static_cast<size_t>(n - i) * sizeof(float));
  }
}

void FillNormalsImpl(const RowKey& row, float* out, int64_t n) { Fill<Normals>(row, out, n); }
void FillUniformsImpl(const RowKey& row, float* out, int64_t n) { Fill<Uniforms>(row, out, n); }

}  // namespace riesz::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace riesz {

HWY_EXPORT(FillNormalsImpl);
HWY_EXPORT(FillUniformsImpl);

namespace {

RowKey KeyOf(uint64_t seed, RandomStream stream, uint64_t step, uint64_t row) {
  RIESZ_CHECK(row < uint64_t{1} << 32 && step < uint64_t{1} << 56, "counters must not wrap");
  return {.counter = {static_cast<uint32_t>(row), static_cast<uint32_t>(step),
                      static_cast<uint32_t>(step >> 32 << 8) | static_cast<uint32_t>(stream)},
          .key = {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)}};
}

// Uniform in 0..bound-1: the high half of a 128-bit product, drawn again in the sliver that would
// make some values likelier (Lemire, "Fast random integer generation in an interval", 2019).
int64_t BoundedAt(uint64_t seed, int64_t position, int64_t bound) {
  const auto choices = static_cast<uint64_t>(bound);
  for (uint64_t attempt = 0;; ++attempt) {
    const auto bits =
        RandomBits(seed, RandomStream::kShuffle, attempt, 0, static_cast<uint64_t>(position));
    const auto product =
        static_cast<unsigned __int128>(uint64_t{bits[1]} << 32 | bits[0]) * choices;
    if (static_cast<uint64_t>(product) >= -choices % choices) {
      return static_cast<int64_t>(product >> 64);
    }
  }
}

}  // namespace

std::array<uint32_t, 4> Philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < kRounds; ++round) {
    const uint64_t product0 = uint64_t{kMultiplier0} * counter[0];
    const uint64_t product1 = uint64_t{kMultiplier1} * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0],
               static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1],
               static_cast<uint32_t>(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

std::array<uint32_t, 4> RandomBits(uint64_t seed, RandomStream stream, uint64_t step, uint64_t row,
                                   uint64_t k) {
  RIESZ_CHECK(k < uint64_t{1} << 32, "counters must not wrap");
  const RowKey key = KeyOf(seed, stream, step, row);
  return Philox({static_cast<uint32_t>(k), key.counter[0], key.counter[1], key.counter[2]},
                {key.key[0], key.key[1]});
}

void FillNormals(uint64_t seed, RandomStream stream, uint64_t step, uint64_t row, float* out,
                 int64_t n) {
  HWY_DYNAMIC_DISPATCH(FillNormalsImpl)(KeyOf(seed, stream, step, row), out, n);
}

void FillUniforms(uint64_t seed, RandomStream stream, uint64_t step, uint64_t row, float* out,
                  int64_t n) {
  HWY_DYNAMIC_DISPATCH(FillUniformsImpl)(KeyOf(seed, stream, step, row), out, n);
}

std::vector<int64_t> ChooseRows(uint64_t seed, int64_t total, int64_t count) {
  RIESZ_CHECK(0 <= count && count <= total, "more rows chosen than there are");
  std::vector<int64_t> chosen(static_cast<size_t>(count));
  // Only the entries of the permutation that a swap has moved; the rest is the identity.
  std::unordered_map<int64_t, int64_t> moved;
  const auto entry = [&](int64_t i) {
    const auto found = moved.find(i);
    return found == moved.end() ? i : found->second;
  };
  for (int64_t i = 0; i < count; ++i) {
    const int64_t j = i + BoundedAt(seed, i, total - i);
    chosen[static_cast<size_t>(i)] = entry(j);
    moved[j] = entry(i);
    moved.erase(i);
  }
  return chosen;
}

}  // namespace riesz
#endif  // HWY_ONCE
