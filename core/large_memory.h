// Memory for megabytes and more: in huge pages where the system grants them, and kept for the next
// block of the same size when it is freed.
//
// Why: touching fresh memory costs more than sending it over a loopback connection (3.3 GB/s a core
// page by page, 9 GB/s in huge pages), and uploads of one shape follow each other.
//
// Thread safety: the functions are thread-safe; a PageFeeder belongs to one thread.
#pragma once

#include <cstddef>
#include <span>

namespace riesz {

// From here on memory is large.
constexpr size_t kLargeBytes = size_t{4} << 20;
// Freed memory that is kept, all blocks together; the oldest make room. The system takes their
// pages back when it is short of memory. None with AddressSanitizer: it would hide a use after
// free.
#if defined(__SANITIZE_ADDRESS__)
constexpr size_t kMaxIdleBytes = 0;
#else
constexpr size_t kMaxIdleBytes = size_t{1} << 30;
#endif

// At least 64-byte aligned, contents arbitrary. Throws std::bad_alloc. Requires bytes > 0.
void* AllocateLarge(size_t bytes);
// `memory` is from AllocateLarge(bytes).
void FreeLarge(void* memory, size_t bytes);
// Freed memory that is kept now.
size_t IdleLargeBytes();

// Has the system make the pages of a range a stretch ahead of whoever fills it from its front.
//
// Why: CopyAndCrc32c stores past the cache, which is slow to what the system zeroed there a moment
// ago (2.7 GB/s, against 5.5 with the zeroing included).
class PageFeeder {
 public:
  PageFeeder() = default;
  explicit PageFeeder(std::span<std::byte> range) : range_(range) {}
  // The first `end` bytes are about to be filled.
  void ReadyUntil(size_t end);

 private:
  std::span<std::byte> range_;
  size_t ready_ = 0;  // bytes
};

}  // namespace riesz
