#include "core/crc32c.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace riesz {
namespace {

constexpr uint32_t kPolynomial = 0x82f63b78;
// Bytes of one of the three interleaved streams. Joining them costs eight table look-ups a round:
// nothing beside 3 KiB.
constexpr size_t kStreamBytes = 1024;
constexpr size_t kRoundBytes = 3 * kStreamBytes;
constexpr size_t kCacheLine = 64;

// Product of two polynomials modulo the CRC's, bit-reflected: x^0 is the top bit. (zlib's crc32.c.)
constexpr uint32_t Multiply(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (uint32_t bit = uint32_t{1} << 31; bit != 0; bit >>= 1) {
    if ((a & bit) != 0) product ^= b;
    b = (b & 1) != 0 ? (b >> 1) ^ kPolynomial : b >> 1;
  }
  return product;
}

// x^(2^k) for every k that a 64-bit count of bits can need.
constexpr std::array<uint32_t, 68> kPowers = [] {
  std::array<uint32_t, 68> powers{};
  powers[0] = uint32_t{1} << 30;
  for (size_t k = 1; k < powers.size(); ++k) powers[k] = Multiply(powers[k - 1], powers[k - 1]);
  return powers;
}();

// x^(8 * bytes): multiplying a CRC by it appends that many zero bytes.
constexpr uint32_t ZeroBytesOperator(uint64_t bytes) {
  uint32_t power = uint32_t{1} << 31;
  for (size_t k = 3; bytes != 0; bytes >>= 1, ++k) {
    if ((bytes & 1) != 0) power = Multiply(kPowers[k], power);
  }
  return power;
}

using Table = std::array<std::array<uint32_t, 256>, 8>;

// kSlices[k][b]: the CRC register after byte b and k zero bytes ("slicing by 8").
constexpr Table kSlices = [] {
  Table table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? (crc >> 1) ^ kPolynomial : crc >> 1;
    table[0][byte] = crc;
  }
  for (size_t k = 1; k < 8; ++k) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t crc = table[k - 1][byte];
      table[k][byte] = (crc >> 8) ^ table[0][crc & 0xff];
    }
  }
  return table;
}();

// The register `crc` over n bytes, copied to dst unless it is null.
uint32_t TableUpdate(uint32_t crc, const std::byte* src, size_t n, std::byte* dst) {
  if (dst != nullptr && n > 0) std::memcpy(dst, src, n);
  for (; n >= 8; n -= 8, src += 8) {
    uint64_t word;
    std::memcpy(&word, src, sizeof(word));
    word ^= crc;
    crc = 0;
    for (size_t k = 0; k < 8; ++k) crc ^= kSlices[7 - k][(word >> (8 * k)) & 0xff];
  }
  for (; n > 0; --n, ++src) {
    crc = (crc >> 8) ^ kSlices[0][(crc ^ static_cast<uint32_t>(*src)) & 0xff];
  }
  return crc;
}

#if defined(__x86_64__)

// kShift[k][b]: byte k of a register with value b, moved past kStreamBytes zero bytes.
constexpr std::array<std::array<uint32_t, 256>, 4> kShift = [] {
  std::array<std::array<uint32_t, 256>, 4> table{};
  const uint32_t power = ZeroBytesOperator(kStreamBytes);
  for (uint32_t k = 0; k < 4; ++k) {
    for (uint32_t byte = 0; byte < 256; ++byte) {
      table[k][byte] = Multiply(power, byte << (8 * k));
    }
  }
  return table;
}();

uint32_t ShiftStream(uint32_t crc) {
  return kShift[0][crc & 0xff] ^ kShift[1][(crc >> 8) & 0xff] ^ kShift[2][(crc >> 16) & 0xff] ^
         kShift[3][crc >> 24];
}

// One round: three streams side by side. The next round's lines are asked for on the way (12 to 19
// GB/s from memory). Copies are stored past the cache: fetching lines only to overwrite them made a
// copy of megabytes three times as slow (5.7 against 16.5 GB/s).
template <bool kCopy>
__attribute__((target("sse4.2"), always_inline)) inline uint64_t SseRound(uint64_t a,
                                                                          const std::byte* src,
                                                                          std::byte* dst) {
  const auto word = [&](size_t at) __attribute__((always_inline)) {
    uint64_t bits;
    std::memcpy(&bits, src + at, sizeof(bits));
    if constexpr (kCopy) {
      _mm_stream_si64(reinterpret_cast<long long*>(dst + at), static_cast<long long>(bits));
    }
    return bits;
  };
  uint64_t b = 0, c = 0;
  for (size_t line = 0; line < kStreamBytes; line += kCacheLine) {
    for (size_t stream = 0; stream < 3; ++stream) {
      _mm_prefetch(reinterpret_cast<const char*>(src) + kRoundBytes + stream * kStreamBytes + line,
                   _MM_HINT_T0);
    }
    for (size_t i = line; i < line + kCacheLine; i += 8) {
      a = _mm_crc32_u64(a, word(i));
      b = _mm_crc32_u64(b, word(kStreamBytes + i));
      c = _mm_crc32_u64(c, word(2 * kStreamBytes + i));
    }
  }
  a = ShiftStream(static_cast<uint32_t>(a)) ^ static_cast<uint32_t>(b);
  return ShiftStream(static_cast<uint32_t>(a)) ^ static_cast<uint32_t>(c);
}

template <bool kCopy>
__attribute__((target("sse4.2"))) uint32_t SseUpdate(uint32_t crc, const std::byte* src, size_t n,
                                                     std::byte* dst) {
  uint64_t a = crc;
  const auto take = [&](size_t bytes) __attribute__((always_inline)) {
    src += bytes;
    n -= bytes;
    if constexpr (kCopy) dst += bytes;
  };
  const bool rounds = n >= kRoundBytes + kCacheLine;
  if (rounds && kCopy) {
    // Whole lines from here on: a line stored in parts would go to memory twice.
    for (; reinterpret_cast<uintptr_t>(dst) % kCacheLine != 0; take(1)) {
      a = _mm_crc32_u8(static_cast<uint32_t>(a), static_cast<uint8_t>(*src));
      *dst = *src;
    }
  }
  if (rounds) {
    for (; n >= kRoundBytes; take(kRoundBytes)) a = SseRound<kCopy>(a, src, dst);
    if constexpr (kCopy) _mm_sfence();  // such stores heed no lock that is released later
  }
  for (; n >= 8; take(8)) {
    uint64_t bits;
    std::memcpy(&bits, src, sizeof(bits));
    if constexpr (kCopy) std::memcpy(dst, &bits, sizeof(bits));
    a = _mm_crc32_u64(a, bits);
  }
  for (; n > 0; take(1)) {
    a = _mm_crc32_u8(static_cast<uint32_t>(a), static_cast<uint8_t>(*src));
    if constexpr (kCopy) *dst = *src;
  }
  return static_cast<uint32_t>(a);
}

uint32_t Update(uint32_t crc, const std::byte* src, size_t n, std::byte* dst) {
  static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
  if (!has_instruction) return TableUpdate(crc, src, n, dst);
  return dst == nullptr ? SseUpdate<false>(crc, src, n, nullptr)
                        : SseUpdate<true>(crc, src, n, dst);
}

#else

uint32_t Update(uint32_t crc, const std::byte* src, size_t n, std::byte* dst) {
  return TableUpdate(crc, src, n, dst);
}

#endif

}  // namespace

uint32_t Crc32c(std::span<const std::byte> data) { return ExtendCrc32c(0, data); }

uint32_t ExtendCrc32c(uint32_t crc, std::span<const std::byte> data) {
  return ~Update(~crc, data.data(), data.size(), nullptr);
}

uint32_t CopyAndCrc32c(std::byte* dst, std::span<const std::byte> src, uint32_t crc) {
  return ~Update(~crc, src.data(), src.size(), dst);
}

uint32_t CombineCrc32c(uint32_t crc_a, uint32_t crc_b, uint64_t length_b) {
  return Multiply(ZeroBytesOperator(length_b), crc_a) ^ crc_b;
}

namespace internal {

uint32_t TableExtendCrc32c(uint32_t crc, std::span<const std::byte> data) {
  return ~TableUpdate(~crc, data.data(), data.size(), nullptr);
}

}  // namespace internal
}  // namespace riesz
