#include "core/engine/finite.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/error.h"

namespace riesz {
namespace {

// Scans the values in pieces of `piece` bytes.
std::optional<int64_t> Scan(const std::vector<float>& values, size_t piece) {
  FiniteScan scan;
  auto bytes = std::as_bytes(std::span(values));
  while (!bytes.empty()) {
    const size_t size = std::min(piece, bytes.size());
    scan.Scan(bytes.first(size));
    bytes = bytes.subspan(size);
  }
  return scan.first_non_finite();
}

TEST(FiniteScanTest, TheFirstNonFiniteFloatIsFoundWhateverThePieces) {
  const float nan = std::nanf(""), infinity = std::numeric_limits<float>::infinity();
  for (const float bad : {nan, infinity, -infinity}) {
    std::vector<float> values(100, 1.5f);
    values[37] = values[80] = bad;
    for (const size_t piece : {1, 2, 3, 4, 5, 7, 13, 64, 149, 400}) {
      EXPECT_EQ(Scan(values, piece), 37) << piece;
    }
  }
}

TEST(FiniteScanTest, ExtremeFiniteFloatsPass) {
  using Limits = std::numeric_limits<float>;
  const std::vector<float> values = {0, -0.0f, Limits::max(), Limits::lowest(),
                                     Limits::denorm_min()};
  for (const size_t piece : {1, 3, 20}) EXPECT_EQ(Scan(values, piece), std::nullopt);
}

TEST(FiniteScanTest, TheErrorNamesParticleAndCoordinate) {
  const absl::Status status = NonFiniteError(7 * 3 + 2, 7);
  EXPECT_EQ(status.message(), "particle 3, coordinate 2 is not finite");
  EXPECT_EQ(DetailOf(status)->reason, ErrorReason::kNonFinite);
  EXPECT_EQ(DetailOf(status)->metadata.at("row"), "3");
  EXPECT_EQ(DetailOf(status)->metadata.at("column"), "2");
}

}  // namespace
}  // namespace riesz
