// The emulated grid itself: what CUDA promises to kernels, and what it does not forgive.
#include "tests/support/emulated_grid.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace riesz::emulated {
namespace {

constexpr int kThreads = 96;

void RunBlock(const std::function<void()>& thread, ThreadOrder order = ThreadOrder::kAscending) {
  RunGrid(1, 1, kThreads, 1024, order, thread);
}

TEST(EmulatedGrid, EveryThreadOfEveryBlockRunsOnce) {
  std::vector<int> runs(3 * 2 * 64);
  RunGrid(3, 2, 64, 0, ThreadOrder::kAscending, [&] {
    EXPECT_EQ(blockDim.x, 64u);
    EXPECT_EQ(gridDim.x, 3u);
    EXPECT_EQ(gridDim.y, 2u);
    ++runs[(blockIdx.y * 3 + blockIdx.x) * 64 + threadIdx.x];
  });
  EXPECT_EQ(runs, std::vector<int>(runs.size(), 1));
}

TEST(EmulatedGrid, ABarrierWaitsForTheWholeBlock) {
  for (const ThreadOrder order : {ThreadOrder::kAscending, ThreadOrder::kDescending}) {
    std::vector<int> seen(kThreads);
    int arrived = 0;
    RunBlock(
        [&] {
          for (int round = 1; round <= 3; ++round) {
            ++arrived;
            __syncthreads();
            seen[threadIdx.x] += arrived == round * kThreads ? 1 : 0;
            __syncthreads();
          }
        },
        order);
    EXPECT_EQ(seen, std::vector<int>(kThreads, 3));
  }
}

TEST(EmulatedGrid, ShufflesStayWithinTheWarp) {
  std::vector<double> down(kThreads);
  std::vector<unsigned> up(kThreads), from(kThreads);
  RunBlock([&] {
    const unsigned t = threadIdx.x;
    down[t] = __shfl_down_sync(0xffffffffu, t + 0.5, 5);
    up[t] = __shfl_up_sync(0xffffffffu, t, 1);
    from[t] = __shfl_sync(0xffffffffu, t, 7);
  });
  for (unsigned t = 0; t < kThreads; ++t) {
    EXPECT_EQ(down[t], (t % 32 + 5 < 32 ? t + 5 : t) + 0.5) << t;
    EXPECT_EQ(up[t], t % 32 == 0 ? t : t - 1) << t;
    EXPECT_EQ(from[t], t / 32 * 32 + 7) << t;
  }
}

TEST(EmulatedGrid, MatchFindsTheLanesWithTheSameValue) {
  RunBlock([] {
    const unsigned peers = __match_any_sync(0xffffffffu, threadIdx.x % 3);
    unsigned expected = 0;
    for (unsigned lane = 0; lane < 32; ++lane) {
      if ((threadIdx.x / 32 * 32 + lane) % 3 == threadIdx.x % 3) expected |= 1u << lane;
    }
    EXPECT_EQ(peers, expected);
  });
}

TEST(EmulatedGrid, TheOrderOfThreadsShowsAMissingBarrier) {
  const auto race = [](ThreadOrder order) {
    int last = -1;
    RunBlock([&] { last = static_cast<int>(threadIdx.x); }, order);
    return last;
  };
  EXPECT_NE(race(ThreadOrder::kAscending), race(ThreadOrder::kDescending));
}

TEST(EmulatedGridDeathTest, ThreadsThatMissABarrierAreReported) {
  EXPECT_DEATH(RunBlock([] {
                 if (threadIdx.x < 64) __syncthreads();
               }),
               "barrier");
  EXPECT_DEATH(RunBlock([] {
                 if (threadIdx.x % 2 == 0) {
                   __syncthreads();
                 } else {
                   __syncwarp();
                 }
               }),
               "in vain");
}

TEST(EmulatedGridDeathTest, GridsBeyondCudasLimitsAreReported) {
  EXPECT_DEATH(RunGrid(1, 1, 33, 0, ThreadOrder::kAscending, [] {}), "whole warps");
  EXPECT_DEATH(RunGrid(1, 1 << 16, 32, 0, ThreadOrder::kAscending, [] {}), "limits");
  EXPECT_DEATH(RunGrid(0, 1, 32, 0, ThreadOrder::kAscending, [] {}), "limits");
}

}  // namespace
}  // namespace riesz::emulated
