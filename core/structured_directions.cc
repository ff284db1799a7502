#include "core/structured_directions.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "core/check.h"
#include "core/random.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/structured_directions.cc"
#include "hwy/foreach_target.h"  // must come before highway.h
#include "hwy/highway.h"

#ifndef RIESZ_CORE_STRUCTURED_DIRECTIONS_ONCE
#define RIESZ_CORE_STRUCTURED_DIRECTIONS_ONCE
namespace riesz {

// Rows are made 32 at once, as the real and the imaginary parts of 16 complex sequences: an element
// of a group is 16 real parts and then 16 imaginary ones, so that vectors lie across rows and any
// length of transform uses them whole.
inline constexpr int64_t kHalfGroup = 16;
inline constexpr int64_t kGroupRows = 2 * kHalfGroup;

// cos and sin of pi i / (2 length), 0 <= i < 4 length.
struct QuarterWaves {
  const float* cosines;
  int64_t length;
  float Cos(int64_t i) const { return cosines[i]; }
  float Sin(int64_t i) const { return cosines[i < length ? i + 3 * length : i - length]; }
};

}  // namespace riesz
#endif  // RIESZ_CORE_STRUCTURED_DIRECTIONS_ONCE

HWY_BEFORE_NAMESPACE();
namespace riesz::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<float, kHalfGroup>;

// One step of Stockham's FFT (sign +) on (n, stride) elements: for j < n / radix, u < radix,
//   out[radix j + u] = w^(j u) sum_t w^(t u n / radix) in[j + t n / radix],  w = e^(2 pi i / n),
// each a row of `stride` elements. n * stride = length.
void FftStep(const QuarterWaves& waves, int64_t n, int64_t stride, int64_t radix, const float* in,
             float* out) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t m = n / radix;
  const int64_t row = stride * kGroupRows;
  const int64_t turn = 4 * waves.length, unit = turn / n;  // of the table
  for (int64_t j = 0; j < m; ++j) {
    for (int64_t u = 0; u < radix; ++u) {
      float root_re[64], root_im[64];
      int64_t angle = j * u % n * unit;
      for (int64_t t = 0; t < radix; ++t) {
        root_re[t] = waves.Cos(angle);
        root_im[t] = waves.Sin(angle);
        angle += u * m * unit;
        if (angle >= turn) angle -= turn;
      }
      float* to = out + (radix * j + u) * row;
      for (int64_t k = 0; k < row; k += kGroupRows) {
        for (int64_t l = k; l < k + kHalfGroup; l += lanes) {
          auto re = hn::Zero(d), im = hn::Zero(d);
          for (int64_t t = 0; t < radix; ++t) {
            const float* from = in + (j + t * m) * row + l;
            const auto a = hn::LoadU(d, from), b = hn::LoadU(d, from + kHalfGroup);
            const auto c = hn::Set(d, root_re[t]), s = hn::Set(d, root_im[t]);
            re = hn::NegMulAdd(s, b, hn::MulAdd(c, a, re));
            im = hn::MulAdd(s, a, hn::MulAdd(c, b, im));
          }
          hn::StoreU(re, d, to + l);
          hn::StoreU(im, d, to + l + kHalfGroup);
        }
      }
    }
  }
}

// Replaces the first `length` elements of a by C^t a, C the orthonormal DCT-II, as an FFT of the
// same length (Makhoul, "A fast cosine transform in one and two dimensions", 1980). Element e of
// C^t a is then at index e / 2 for even e and at length - 1 - e / 2 for odd. `a` and `b` are
// (dim, kGroupRows); returns the one of them that holds the result.
const float* InverseCosineImpl(const QuarterWaves& waves, const int32_t* radices,
                               int64_t radix_count, float* a, float* b) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t length = waves.length;
  const auto scale = 1 / std::sqrt(static_cast<float>(2 * length));
  for (int64_t l = 0; l < kGroupRows; l += lanes) {
    const auto first = hn::Set(d, 1 / std::sqrt(static_cast<float>(length)));
    hn::StoreU(hn::Mul(first, hn::LoadU(d, a + l)), d, b + l);
  }
  // Of real sequences A and B in one: V_k = w_k ((A_k + B_(N-k)) + i (B_k - A_(N-k))).
  for (int64_t k = 1; k < length; ++k) {
    const auto c = hn::Set(d, scale * waves.Cos(k)), s = hn::Set(d, scale * waves.Sin(k));
    const float* from = a + k * kGroupRows;
    const float* mirror = a + (length - k) * kGroupRows;
    float* to = b + k * kGroupRows;
    for (int64_t l = 0; l < kHalfGroup; l += lanes) {
      const auto re = hn::Add(hn::LoadU(d, from + l), hn::LoadU(d, mirror + kHalfGroup + l));
      const auto im = hn::Sub(hn::LoadU(d, from + kHalfGroup + l), hn::LoadU(d, mirror + l));
      hn::StoreU(hn::NegMulAdd(s, im, hn::Mul(c, re)), d, to + l);
      hn::StoreU(hn::MulAdd(s, re, hn::Mul(c, im)), d, to + kHalfGroup + l);
    }
  }
  int64_t n = length, stride = 1;
  for (int64_t i = 0; i < radix_count; ++i) {
    FftStep(waves, n, stride, radices[i], b, a);
    n /= radices[i];
    stride *= radices[i];
    std::swap(a, b);
  }
  return b;
}

}  // namespace riesz::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace riesz {

HWY_EXPORT(InverseCosineImpl);

namespace {

constexpr int64_t kMaxRadix = 61;
constexpr int64_t kMaxSlots = 16;

// Radices whose product is n, 4 before 2 since it halves the passes; empty where a prime factor is
// above kMaxRadix. Requires n >= 2.
std::vector<int32_t> RadicesOf(int64_t n) {
  std::vector<int32_t> radices;
  for (int64_t radix : {int64_t{4}, int64_t{2}}) {
    for (; n % radix == 0; n /= radix) radices.push_back(static_cast<int32_t>(radix));
  }
  for (int64_t radix = 3; radix <= kMaxRadix; radix += 2) {
    for (; n % radix == 0; n /= radix) radices.push_back(static_cast<int32_t>(radix));
  }
  if (n > 1) radices.clear();
  return radices;
}

int64_t LengthFor(int64_t dim) {
  while (RadicesOf(dim).empty()) --dim;
  return dim;
}

int64_t Groups(int64_t rows) { return (rows + kGroupRows - 1) / kGroupRows; }

}  // namespace

StructuredRows::StructuredRows(int64_t dim, int64_t rows)
    : dim_(dim),
      length_(LengthFor(dim)),
      slots_(std::min(Groups(rows), kMaxSlots)),
      radices_(RadicesOf(length_)),
      cosines_(static_cast<size_t>(4 * length_)),
      signs_(static_cast<size_t>(kRounds * dim)),
      positions_(signs_.size()),
      workspace_(static_cast<size_t>(slots_ * 2 * dim * kGroupRows)) {
  RIESZ_CHECK(2 <= dim && rows <= dim, "a matrix has as many rows as columns");
  for (size_t i = 0; i < cosines_.size(); ++i) {
    cosines_[i] = static_cast<float>(
        std::cos(std::numbers::pi * static_cast<double>(i) / static_cast<double>(2 * length_)));
  }
}

int64_t StructuredRows::Bytes(int64_t dim, int64_t rows) {
  return 4 *
         (4 * dim + 2 * kRounds * dim + std::min(Groups(rows), kMaxSlots) * 2 * dim * kGroupRows);
}

void StructuredRows::Draw(uint64_t seed, uint64_t step, int64_t index) {
  for (int round = 0; round < kRounds; ++round) {
    const auto key = static_cast<uint64_t>(index * 4 + round);
    float* signs = signs_.data() + round * dim_;
    int32_t* positions = positions_.data() + round * dim_;
    for (int64_t i = 0; i < dim_; ++i) positions[i] = static_cast<int32_t>(i);
    for (int64_t i = dim_ - 1; i >= 0; --i) {
      const auto bits =
          RandomBits(seed, RandomStream::kTransforms, step, key, static_cast<uint64_t>(i));
      signs[i] = (bits[2] & 1) != 0 ? 1 : -1;
      // Uniform up to dim 2^-64.
      const auto choice = static_cast<unsigned __int128>(uint64_t{bits[1]} << 32 | bits[0]) *
                          static_cast<uint64_t>(i + 1);
      std::swap(positions[i], positions[static_cast<int64_t>(choice >> 64)]);
    }
  }
}

void StructuredRows::Fill(
    int64_t count, float* out,
    const std::function<void(int64_t, const std::function<void(int64_t)>&)>& parallel) {
  const int64_t groups = Groups(count);
  parallel(std::min(groups, slots_), [&](int64_t slot) {
    float* workspace = workspace_.data() + slot * 2 * dim_ * kGroupRows;
    for (int64_t group = slot; group < groups; group += slots_) {
      const int64_t first = group * kGroupRows;
      FillGroup(first, std::min(kGroupRows, count - first), out + first * dim_, workspace);
    }
  });
}

void StructuredRows::FillGroup(int64_t first, int64_t count, float* out, float* workspace) {
  const QuarterWaves waves{cosines_.data(), length_};
  float* a = workspace;
  float* b = workspace + dim_ * kGroupRows;
  // P_2^t T_3^t e_i, with T_3^t e_i = D_3 C^t e_k, k = positions[i]: a cosine wave in closed form.
  const int32_t* inputs = positions_.data() + (kRounds - 1) * dim_ + first;
  const float* signs = signs_.data() + (kRounds - 1) * dim_;
  const int32_t* positions = positions_.data() + (kRounds - 2) * dim_;
  const float root = std::sqrt(static_cast<float>(length_));
  int64_t angles[kGroupRows] = {}, turns[kGroupRows] = {};
  float scales[kGroupRows] = {};
  for (int64_t r = 0; r < count; ++r) {
    if (inputs[r] >= length_) continue;
    angles[r] = inputs[r];
    turns[r] = 2 * inputs[r];
    scales[r] = (inputs[r] == 0 ? 1.0f : std::numbers::sqrt2_v<float>) / root;
  }
  for (int64_t e = 0; e < length_; ++e) {
    float* to = a + positions[e] * kGroupRows;
    for (int64_t r = 0; r < kGroupRows; ++r) {
      to[r] = signs[e] * scales[r] * waves.Cos(angles[r]);
      angles[r] += turns[r];
      if (angles[r] >= 4 * length_) angles[r] -= 4 * length_;
    }
  }
  for (int64_t e = length_; e < dim_; ++e) {
    float* to = a + positions[e] * kGroupRows;
    for (int64_t r = 0; r < kGroupRows; ++r) to[r] = r < count && inputs[r] == e ? signs[e] : 0;
  }
  // D C^t of the last two rounds, P^t between them.
  for (int round = kRounds - 2; round >= 0; --round) {
    if (HWY_DYNAMIC_DISPATCH(InverseCosineImpl)(waves, radices_.data(),
                                                static_cast<int64_t>(radices_.size()), a, b) == b) {
      std::copy(a + length_ * kGroupRows, a + dim_ * kGroupRows, b + length_ * kGroupRows);
      std::swap(a, b);
    }
    const auto element = [&](int64_t e) -> const float* {
      const int64_t place = e >= length_ ? e : e % 2 == 0 ? e / 2 : length_ - 1 - e / 2;
      return a + place * kGroupRows;
    };
    signs = signs_.data() + round * dim_;
    if (round > 0) {
      positions = positions_.data() + (round - 1) * dim_;
      for (int64_t e = 0; e < dim_; ++e) {
        const float* from = element(e);
        float* to = b + positions[e] * kGroupRows;
        for (int64_t r = 0; r < kGroupRows; ++r) to[r] = signs[e] * from[r];
      }
      std::swap(a, b);
      continue;
    }
    constexpr int64_t kColumns = 16;  // a line of each row at once
    for (int64_t begin = 0; begin < dim_; begin += kColumns) {
      const int64_t end = std::min(begin + kColumns, dim_);
      const float* columns[kColumns];
      for (int64_t e = begin; e < end; ++e) columns[e - begin] = element(e);
      for (int64_t r = 0; r < count; ++r) {
        for (int64_t e = begin; e < end; ++e) out[r * dim_ + e] = signs[e] * columns[e - begin][r];
      }
    }
  }
}

}  // namespace riesz
#endif  // HWY_ONCE
