#include "core/crc32c.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace riesz {
namespace {

std::vector<std::byte> Bytes(size_t size) {
  std::vector<std::byte> bytes(size);
  uint32_t state = 7;
  for (std::byte& byte : bytes) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<std::byte>(state >> 24);
  }
  return bytes;
}

// Sizes around the borders of words, of the interleaved rounds (3 * 1024), and of a round and the
// line that may be spent on alignment.
const size_t kSizes[] = {0,    1,    7,    8,    9,    31,   3071,  3072,
                         3073, 3080, 3135, 3136, 3137, 6144, 10000, 100001};

TEST(Crc32cTest, KnownValues) {
  const auto crc = [](const std::string& text) { return Crc32c(std::as_bytes(std::span(text))); };
  EXPECT_EQ(crc("123456789"), 0xe3069283u);              // the catalogue's check value
  EXPECT_EQ(crc(std::string(32, '\0')), 0x8a9136aau);    // RFC 3720, B.4
  EXPECT_EQ(crc(std::string(32, '\xff')), 0x62a8ab43u);  // RFC 3720, B.4
  EXPECT_EQ(crc(""), 0u);
}

TEST(Crc32cTest, TheTableAgreesWithTheInstruction) {
  for (const size_t size : kSizes) {
    const auto bytes = Bytes(size);
    EXPECT_EQ(internal::TableExtendCrc32c(5, bytes), ExtendCrc32c(5, bytes)) << size;
  }
}

TEST(Crc32cTest, CopyingCopiesAndChecksumsWhateverTheAlignment) {
  const auto source = Bytes(100100);
  for (const size_t size : kSizes) {
    for (const size_t shift : {0, 1, 5}) {
      const auto piece = std::span<const std::byte>(source).subspan(shift, size);
      std::vector<std::byte> copy(size + 2, std::byte{0xee});
      EXPECT_EQ(CopyAndCrc32c(copy.data() + 1, piece, 0), Crc32c(piece)) << size;
      EXPECT_EQ(std::memcmp(copy.data() + 1, piece.data(), size), 0);
      EXPECT_EQ(copy.front(), std::byte{0xee});
      EXPECT_EQ(copy.back(), std::byte{0xee});
    }
  }
}

TEST(Crc32cTest, ExtendingAndCombiningEqualTheWhole) {
  const auto bytes = Bytes(10000);
  const std::span<const std::byte> all = bytes;
  for (const size_t cut : {size_t{0}, size_t{1}, size_t{4095}, size_t{9999}, size_t{10000}}) {
    const auto a = all.first(cut), b = all.subspan(cut);
    EXPECT_EQ(ExtendCrc32c(Crc32c(a), b), Crc32c(all));
    EXPECT_EQ(CombineCrc32c(Crc32c(a), Crc32c(b), b.size()), Crc32c(all));
  }
}

}  // namespace
}  // namespace riesz
