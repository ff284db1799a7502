#include "core/large_memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace riesz {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

TEST(LargeMemory, IsAligned) {
  for (const size_t bytes : {kLargeBytes, kLargeBytes + 4}) {
    void* memory = AllocateLarge(bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % 64, 0u);
    std::memset(memory, 1, bytes);
    FreeLarge(memory, bytes);
  }
}

TEST(LargeMemory, AFreedBlockIsTheNextOfItsSizeOnly) {
  void* memory = AllocateLarge(8 * kMiB);
  FreeLarge(memory, 8 * kMiB);
  if (kMaxIdleBytes == 0) {  // AddressSanitizer
    EXPECT_EQ(IdleLargeBytes(), 0u);
    return;
  }
  void* other = AllocateLarge(6 * kMiB);
  EXPECT_NE(other, memory);
  EXPECT_EQ(AllocateLarge(8 * kMiB), memory);
  FreeLarge(memory, 8 * kMiB);
  FreeLarge(other, 6 * kMiB);
}

// Nothing is touched, so nothing but addresses is used.
TEST(LargeMemory, WhatIsKeptIsBoundedAndTheOldestGoes) {
  if (kMaxIdleBytes == 0) return;  // AddressSanitizer
  constexpr size_t kThird = kMaxIdleBytes / 3;
  std::vector<void*> blocks;
  for (size_t i = 0; i < 4; ++i) blocks.push_back(AllocateLarge(kThird));
  for (void* block : blocks) FreeLarge(block, kThird);
  EXPECT_EQ(IdleLargeBytes(), 3 * kThird);
  EXPECT_EQ(AllocateLarge(kThird), blocks[3]);
  EXPECT_EQ(AllocateLarge(kThird), blocks[2]);
  EXPECT_EQ(AllocateLarge(kThird), blocks[1]);
  EXPECT_EQ(IdleLargeBytes(), 0u);
  for (size_t i = 1; i < 4; ++i) FreeLarge(blocks[i], kThird);

  void* beyond = AllocateLarge(kMaxIdleBytes + 1);
  FreeLarge(beyond, kMaxIdleBytes + 1);
  EXPECT_LE(IdleLargeBytes(), kMaxIdleBytes);
}

TEST(PageFeeder, ChangesNothingInsideOrAroundItsRange) {
  std::vector<std::byte> memory(40 * kMiB, std::byte{7});
  PageFeeder pages(std::span<std::byte>(memory).subspan(5, memory.size() - 10));
  for (size_t end = 0; end <= memory.size() - 10; end += 3 * kMiB) pages.ReadyUntil(end);
  pages.ReadyUntil(memory.size() - 10);
  EXPECT_TRUE(std::all_of(memory.begin(), memory.end(),
                          [](std::byte byte) { return byte == std::byte{7}; }));
}

TEST(PageFeeder, HasNothingToDoForNoRange) {
  PageFeeder pages;
  pages.ReadyUntil(0);
  pages.ReadyUntil(kMiB);
}

}  // namespace
}  // namespace riesz
