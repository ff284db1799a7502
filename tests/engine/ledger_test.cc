#include "core/engine/ledger.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "core/error.h"
#include "tests/support/fake_backend.h"

namespace riesz {
namespace {

TEST(LedgerTest, WhatIsReservedIsGivenBack) {
  Ledger ledger(100);
  {
    auto first = ledger.Reserve(60, "a");
    ASSERT_TRUE(first.ok());
    auto second = ledger.Reserve(40, "b");
    ASSERT_TRUE(second.ok());
    EXPECT_EQ(ledger.used_bytes(), 100);
    second->Release();
    EXPECT_EQ(ledger.used_bytes(), 60);
    second->Release();
    EXPECT_EQ(ledger.used_bytes(), 60) << "released once only";
  }
  EXPECT_EQ(ledger.used_bytes(), 0);
}

TEST(LedgerTest, ARefusalSaysWhatWasWantedAndWhatIsFree) {
  Ledger ledger(100);
  auto held = ledger.Reserve(70, "a");
  const auto refused = ledger.Reserve(31, "ensemble 'y'");
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(refused.status().message(),
            "device memory: 31 bytes wanted for ensemble 'y', 30 bytes of 100 bytes free");
  const auto detail = DetailOf(refused.status());
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason, ErrorReason::kMemory);
  EXPECT_EQ(detail->metadata.at("wanted_bytes"), "31");
  EXPECT_EQ(detail->metadata.at("free_bytes"), "30");
  EXPECT_EQ(detail->metadata.at("limit_bytes"), "100");
  EXPECT_EQ(ledger.used_bytes(), 70);
  EXPECT_TRUE(ledger.Reserve(30, "b").ok()) << "exactly what is free is granted";
}

TEST(LedgerTest, MovingAReservationMovesItsBytesOnce) {
  Ledger ledger(100);
  Reservation a = *ledger.Reserve(10, "a");
  Reservation b = *ledger.Reserve(20, "b");
  a = std::move(b);
  EXPECT_EQ(ledger.used_bytes(), 20) << "what a held is back";
  EXPECT_EQ(a.bytes(), 20);
  a.ShrinkTo(5);
  EXPECT_EQ(ledger.used_bytes(), 5);
}

TEST(LedgerTest, APartThatIsSplitOffIsGivenBackByItself) {
  Ledger ledger(100);
  Reservation whole = *ledger.Reserve(60, "a");
  Reservation part = whole.Split(20);
  EXPECT_EQ(whole.bytes(), 40);
  EXPECT_EQ(part.bytes(), 20);
  EXPECT_EQ(ledger.used_bytes(), 60);
  part.Release();
  EXPECT_EQ(ledger.used_bytes(), 40);
  whole.Release();
  EXPECT_EQ(ledger.used_bytes(), 0);
}

TEST(LedgerTest, MergedReservationsAreOne) {
  Ledger ledger(100);
  Reservation whole;
  whole.Merge(*ledger.Reserve(60, "a"));
  whole.Merge(Reservation());
  whole.Merge(*ledger.Reserve(20, "a"));
  EXPECT_EQ(whole.bytes(), 80);
  EXPECT_EQ(ledger.used_bytes(), 80);
  whole.Release();
  EXPECT_EQ(ledger.used_bytes(), 0);
}

TEST(LedgerTest, WhatIsHeldForConvenienceGivesWayWhereThatMayHelp) {
  Ledger ledger(100);
  Reservation convenience;
  ledger.set_reclaimer([&] { convenience.Release(); });
  convenience = *ledger.Reserve(60, "a");
  EXPECT_TRUE(ledger.Reserve(40, "b").ok());
  EXPECT_FALSE(ledger.Reserve(101, "b").ok());
  EXPECT_EQ(convenience.bytes(), 60);
  EXPECT_TRUE(ledger.Reserve(41, "b").ok());
  EXPECT_EQ(convenience.bytes(), 0);
}

TEST(LedgerTest, ParticlesHoldTheirMemoryUntilTheLastUserLetsGo) {
  Ledger ledger(100);
  auto held = HoldMemory(std::make_shared<FakeEnsemble>(2, 2, true), *ledger.Reserve(16, "y"));
  auto other = held;
  held = nullptr;
  EXPECT_EQ(ledger.used_bytes(), 16);
  EXPECT_EQ(other->count(), 2);
  other = nullptr;
  EXPECT_EQ(ledger.used_bytes(), 0);
}

TEST(LedgerTest, ManyThreadsNeverPassTheLimit) {
  int64_t most = 0;
  Ledger ledger(10, [&](int64_t used, int64_t) { most = std::max(most, used); });
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&ledger] {
      for (int i = 0; i < 1000; ++i) {
        auto held = ledger.Reserve(4, "a");
        if (held.ok()) held->ShrinkTo(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most, 10);
  EXPECT_EQ(ledger.used_bytes(), 0);
}

}  // namespace
}  // namespace riesz
