#include "core/engine/finite.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "core/error.h"

namespace riesz {
namespace {

constexpr uint32_t kExponentBits = 0x7f800000;

bool IsNonFinite(uint32_t bits) { return (bits & kExponentBits) == kExponentBits; }

uint32_t LoadBits(const std::byte* at) {
  uint32_t bits;
  std::memcpy(&bits, at, sizeof(bits));
  return bits;
}

// Without an early exit the compiler vectorises the loop; the place is looked for only if needed.
bool AnyNonFinite(const std::byte* data, int64_t floats) {
  uint32_t any = 0;
  for (int64_t i = 0; i < floats; ++i) any |= IsNonFinite(LoadBits(data + 4 * i)) ? 1u : 0u;
  return any != 0;
}

}  // namespace

void FiniteScan::Judge(uint32_t bits) {
  if (!first_.has_value() && IsNonFinite(bits)) first_ = floats_;
  ++floats_;
}

void FiniteScan::Scan(std::span<const std::byte> bytes) {
  while (carry_size_ > 0 && !bytes.empty()) {
    carry_[carry_size_++] = bytes.front();
    bytes = bytes.subspan(1);
    if (carry_size_ == 4) {
      Judge(LoadBits(carry_.data()));
      carry_size_ = 0;
    }
  }
  const int64_t whole = static_cast<int64_t>(bytes.size() / 4);
  if (!first_.has_value() && AnyNonFinite(bytes.data(), whole)) {
    for (int64_t i = 0; i < whole; ++i) Judge(LoadBits(bytes.data() + 4 * i));
  } else {
    floats_ += whole;
  }
  const std::span<const std::byte> rest = bytes.subspan(static_cast<size_t>(whole) * 4);
  std::copy(rest.begin(), rest.end(), carry_.begin() + static_cast<ptrdiff_t>(carry_size_));
  carry_size_ += rest.size();
}

absl::Status NonFiniteError(int64_t index, int64_t dim) {
  const std::string row = std::to_string(index / dim);
  const std::string column = std::to_string(index % dim);
  return WithDetail(
      absl::InvalidArgumentError("particle " + row + ", coordinate " + column + " is not finite"),
      {.reason = ErrorReason::kNonFinite, .metadata = {{"row", row}, {"column", column}}});
}

}  // namespace riesz
