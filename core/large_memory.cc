#include "core/large_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <new>

namespace riesz {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kPage = 4096;
// Several times a second-level cache, and a millisecond or two of work.
constexpr size_t kAheadBytes = size_t{16} << 20;

struct Block {
  void* memory;
  size_t bytes;
};

// Freed blocks, the oldest first.
class IdleBlocks {
 public:
  // A block of that size, or null.
  void* Take(size_t bytes) {
    const std::lock_guard lock(mutex_);
    // The newest first: it is the likeliest still to have its pages.
    const auto found = std::find_if(blocks_.rbegin(), blocks_.rend(),
                                    [bytes](const Block& block) { return block.bytes == bytes; });
    if (found == blocks_.rend()) return nullptr;
    void* memory = found->memory;
    blocks_.erase(std::next(found).base());
    idle_bytes_ -= bytes;
    return memory;
  }

  void Keep(Block block) {
    // The pages stay until the system needs them elsewhere.
    madvise(block.memory, block.bytes / kPage * kPage, MADV_FREE);
    std::deque<Block> too_much;
    {
      const std::lock_guard lock(mutex_);
      try {
        blocks_.push_back(block);
      } catch (const std::bad_alloc&) {  // called by destructors
        too_much.clear();
        std::free(block.memory);
        return;
      }
      idle_bytes_ += block.bytes;
      while (idle_bytes_ > kMaxIdleBytes) {
        too_much.push_back(blocks_.front());
        idle_bytes_ -= blocks_.front().bytes;
        blocks_.pop_front();
      }
    }
    for (const Block& old : too_much) std::free(old.memory);
  }

  size_t bytes() {
    const std::lock_guard lock(mutex_);
    return idle_bytes_;
  }

  void Drop() {
    std::deque<Block> all;
    {
      const std::lock_guard lock(mutex_);
      all.swap(blocks_);
      idle_bytes_ = 0;
    }
    for (const Block& block : all) std::free(block.memory);
  }

 private:
  std::mutex mutex_;
  std::deque<Block> blocks_;
  size_t idle_bytes_ = 0;
};

IdleBlocks& Idle() {
  static IdleBlocks& idle = *new IdleBlocks;  // memory may be freed after static destructors ran
  return idle;
}

void* Fresh(size_t bytes) {
  void* memory = nullptr;
  if (posix_memalign(&memory, kHugePage, bytes) != 0) return nullptr;
  // Advice: without it everything works, slower.
  madvise(memory, bytes, MADV_HUGEPAGE);
  return memory;
}

}  // namespace

void* AllocateLarge(size_t bytes) {
  void* memory = Idle().Take(bytes);
  if (memory == nullptr) memory = Fresh(bytes);
  if (memory == nullptr) {
    Idle().Drop();
    memory = Fresh(bytes);
  }
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void FreeLarge(void* memory, size_t bytes) {
  if (bytes <= kMaxIdleBytes) {
    Idle().Keep({memory, bytes});
  } else {
    std::free(memory);
  }
}

size_t IdleLargeBytes() { return Idle().bytes(); }

void PageFeeder::ReadyUntil(size_t end) {
  if (end <= ready_ || range_.size() < kLargeBytes) return;
  const size_t ready = std::min(range_.size(), end + kAheadBytes);
  // Whole pages, which change nothing of what is written there already. Advice, like the above.
  const auto begin = reinterpret_cast<uintptr_t>(range_.data() + ready_) / kPage * kPage;
  const auto stop = reinterpret_cast<uintptr_t>(range_.data() + ready);
  madvise(reinterpret_cast<void*>(begin), stop - begin, MADV_POPULATE_WRITE);
  ready_ = ready;
}

}  // namespace riesz
