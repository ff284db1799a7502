// Finds NaN and infinities in float32 data that arrives in pieces of any size.
//
// Thread safety: a FiniteScan belongs to one thread; it is a value, so that a scan of bytes that
// are then refused can be thrown away.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "absl/status/status.h"

namespace riesz {

class FiniteScan {
 public:
  // Scans the next bytes. A float cut by a piece's end is judged when its last byte comes.
  void Scan(std::span<const std::byte> bytes);
  // Index of the first float so far that is NaN or infinite.
  std::optional<int64_t> first_non_finite() const { return first_; }

 private:
  void Judge(uint32_t bits);
  std::array<std::byte, 4> carry_{};
  size_t carry_size_ = 0;
  int64_t floats_ = 0;  // scanned
  std::optional<int64_t> first_;
};

// INVALID_ARGUMENT (NON_FINITE) "particle 3, coordinate 7 is not finite" for the float at `index`
// of (n, dim) particles.
absl::Status NonFiniteError(int64_t index, int64_t dim);

}  // namespace riesz
