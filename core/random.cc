#include "core/random.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <unordered_map>

#include "core/check.h"

// One source, several instruction sets, chosen when the program is loaded. Contraction is off for
// all of riesz, so every clone gives the same bits. Sanitizers cannot run before the loader's
// resolvers.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define RIESZ_VECTOR_CLONES
#else
#define RIESZ_VECTOR_CLONES \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#endif

namespace riesz {
namespace {

constexpr uint32_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
constexpr int kLanes = 64;

// kLanes Philox blocks side by side; lane l works on the counter whose first word is l higher.
struct Lanes {
  alignas(64) uint32_t word[4][kLanes];
};

std::array<uint32_t, 4> RowCounter(RandomStream stream, uint64_t step, uint64_t row) {
  RIESZ_CHECK(row >> 32 == 0 && step >> 56 == 0, "rows fit 32 bits and steps 56 in a counter");
  return {0, static_cast<uint32_t>(row), static_cast<uint32_t>(step),
          static_cast<uint32_t>(step >> 32) << 8 | static_cast<uint32_t>(stream)};
}

RIESZ_VECTOR_CLONES
void PhiloxLanes(const std::array<uint32_t, 4>& counter, uint64_t seed, uint32_t first,
                 Lanes& out) {
  for (int l = 0; l < kLanes; ++l) {
    out.word[0][l] = first + static_cast<uint32_t>(l);
    out.word[1][l] = counter[1];
    out.word[2][l] = counter[2];
    out.word[3][l] = counter[3];
  }
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    for (int l = 0; l < kLanes; ++l) {
      const uint64_t p0 = uint64_t{kMultiplier0} * out.word[0][l];
      const uint64_t p1 = uint64_t{kMultiplier1} * out.word[2][l];
      out.word[0][l] = static_cast<uint32_t>(p1 >> 32) ^ out.word[1][l] ^ k0;
      out.word[2][l] = static_cast<uint32_t>(p0 >> 32) ^ out.word[3][l] ^ k1;
      out.word[1][l] = static_cast<uint32_t>(p1);
      out.word[3][l] = static_cast<uint32_t>(p0);
    }
    k0 += kWeyl0;
    k1 += kWeyl1;
  }
}

// ln(u) for a positive normal float: u = 2^e m with m in [2/3, 4/3), ln m = 2 artanh((m-1)/(m+1))
// by its series to the ninth power (remainder below 1e-8).
inline float Log(float u) {
  const int32_t bits = std::bit_cast<int32_t>(u);
  const int32_t exponent = (bits - 0x3f2aaaab) >> 23;
  const float m = std::bit_cast<float>(bits - exponent * (1 << 23));
  const float f = m - 1.0f;
  const float s = f / (2.0f + f);
  const float z = s * s;
  const float series = 2.0f + z * (0.66666667f + z * (0.4f + z * (0.28571429f + z * 0.22222222f)));
  return static_cast<float>(exponent) * 0.69314718f + s * series;
}

// Box-Muller on lanes: the pair (a, b) becomes radius * (cos, sin). The angle is b / 2^32 of a
// turn, reduced exactly to the nearest quarter turn; Taylor polynomials on [-pi/4, pi/4] (error
// below 4e-8).
inline void NormalPair(uint32_t a, uint32_t b, float* cosine_out, float* sine_out) {
  const float u = (static_cast<float>(static_cast<int32_t>(a >> 1)) + 0.5f) * 0x1p-31f;
  const float radius = std::sqrt(std::max(-2.0f * Log(u), 0.0f));
  const uint32_t quarter = (b + 0x20000000u) >> 30;
  const float x =
      static_cast<float>(static_cast<int32_t>(b - (quarter << 30))) * 1.46291807926716e-9f;
  const float z = x * x;
  const float sine =
      x + x * z * (-0.16666667f + z * (8.3333333e-3f + z * (-1.9841270e-4f + z * 2.7557319e-6f)));
  const float cosine =
      1.0f + z * (-0.5f + z * (4.1666667e-2f + z * (-1.3888889e-3f + z * 2.4801587e-5f)));
  const bool swap = (quarter & 1u) != 0;
  const float c = swap ? sine : cosine;
  const float s = swap ? cosine : sine;
  const float c_signed = (((quarter + 1u) & 2u) != 0) ? -c : c;
  const float s_signed = ((quarter & 2u) != 0) ? -s : s;
  *cosine_out = radius * c_signed;
  *sine_out = radius * s_signed;
}

RIESZ_VECTOR_CLONES
void NormalLanes(const Lanes& bits, float* out) {
  alignas(64) float value[4][kLanes];
  for (int l = 0; l < kLanes; ++l) {
    NormalPair(bits.word[0][l], bits.word[1][l], &value[0][l], &value[1][l]);
  }
  for (int l = 0; l < kLanes; ++l) {
    NormalPair(bits.word[2][l], bits.word[3][l], &value[2][l], &value[3][l]);
  }
  for (int l = 0; l < kLanes; ++l) {
    for (int w = 0; w < 4; ++w) out[4 * l + w] = value[w][l];
  }
}

RIESZ_VECTOR_CLONES
void UniformLanes(const Lanes& bits, float* out) {
  for (int l = 0; l < kLanes; ++l) {
    for (int w = 0; w < 4; ++w) {
      out[4 * l + w] = static_cast<float>(static_cast<int32_t>(bits.word[w][l] >> 8)) * 0x1p-24f;
    }
  }
}

template <typename Transform>
void FillRow(uint64_t seed, RandomStream stream, uint64_t step, uint64_t row, float* out, int64_t n,
             Transform transform) {
  const std::array<uint32_t, 4> counter = RowCounter(stream, step, row);
  Lanes lanes;
  alignas(64) float values[4 * kLanes];
  for (int64_t k = 0; k < n; k += 4 * kLanes) {
    PhiloxLanes(counter, seed, static_cast<uint32_t>(k / 4), lanes);
    transform(lanes, values);
    std::copy_n(values, std::min<int64_t>(4 * kLanes, n - k), out + k);
  }
}

}  // namespace

std::array<uint32_t, 4> Philox(std::array<uint32_t, 4> c, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{kMultiplier0} * c[0];
    const uint64_t p1 = uint64_t{kMultiplier1} * c[2];
    c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ key[0], static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ key[1], static_cast<uint32_t>(p0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return c;
}

std::array<uint32_t, 4> RandomBits(uint64_t seed, RandomStream stream, uint64_t step, uint64_t row,
                                   uint64_t k) {
  std::array<uint32_t, 4> counter = RowCounter(stream, step, row);
  counter[0] = static_cast<uint32_t>(k);
  return Philox(counter, {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
}

void FillNormals(uint64_t seed, RandomStream stream, uint64_t step, uint64_t row, float* out,
                 int64_t n) {
  FillRow(seed, stream, step, row, out, n, NormalLanes);
}

void FillUniforms(uint64_t seed, RandomStream stream, uint64_t step, uint64_t row, float* out,
                  int64_t n) {
  FillRow(seed, stream, step, row, out, n, UniformLanes);
}

std::vector<int64_t> ChooseRows(uint64_t seed, int64_t total, int64_t count) {
  RIESZ_CHECK(0 <= count && count <= total, "callers choose at most all rows");
  // Only entries that a swap has moved are stored; the rest of the permutation is the identity.
  std::unordered_map<int64_t, int64_t> moved;
  auto at = [&](int64_t i) {
    const auto it = moved.find(i);
    return it == moved.end() ? i : it->second;
  };
  std::vector<int64_t> rows;
  rows.reserve(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    const std::array<uint32_t, 4> bits =
        RandomBits(seed, RandomStream::kShuffle, 0, 0, static_cast<uint64_t>(i));
    const uint64_t random = uint64_t{bits[1]} << 32 | bits[0];
    // The high word of random * choices is uniform up to 2^-64 * choices.
    const auto choices = static_cast<unsigned __int128>(total - i);
    const int64_t j = i + static_cast<int64_t>((choices * random) >> 64);
    rows.push_back(at(j));
    moved[j] = at(i);
  }
  return rows;
}

}  // namespace riesz
