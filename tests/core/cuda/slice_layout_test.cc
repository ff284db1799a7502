#include "core/backend/cuda/slice_layout.h"

#include <gtest/gtest.h>

#include "core/backend/cuda/launch_plan.h"

namespace riesz::cuda {
namespace {

// About an H100's.
constexpr DeviceSpeed kFast{.flops = 3e13, .bytes = 2e12, .sorted_keys = 4e9};

void ExpectWhole(const SliceLayout& layout, const DirectionSpec& spec, int64_t dim) {
  EXPECT_EQ(layout.slices, SliceCount(spec, dim));
  int64_t next = 0;
  for (const SliceChunk& chunk : layout.chunks) {
    EXPECT_EQ(chunk.first, next);
    EXPECT_GT(chunk.count, 0);
    const DirectionBlock first = DirectionBlockAt(spec, dim, chunk.first_block);
    EXPECT_EQ(first.first + chunk.skipped, chunk.first);
    EXPECT_LE(chunk.skipped + chunk.count, layout.direction_rows);
    EXPECT_LE(chunk.count, layout.max_count);
    next += chunk.count;
  }
  EXPECT_EQ(next, layout.slices);
}

TEST(SliceLayout, CoversAllSlicesOnce) {
  for (const DirectionKind kind : {DirectionKind::kIid, DirectionKind::kOrthogonal}) {
    for (const int64_t dim : {1, 2, 3, 100, 784, 5000}) {
      for (const int64_t count : {1, 7, 500, 1000, 20000}) {
        for (const int64_t n : {1, 1000, 100'000, 10'000'000}) {
          const DirectionSpec spec{.kind = kind, .count = count};
          ExpectWhole(LayOutSlices(kFast, {n, n, dim}, spec), spec, dim);
        }
      }
    }
  }
}

TEST(SliceLayout, NoLaunchIsLongerThanAChunkUnlessASliceIs) {
  const ProblemShape shape{100'000, 100'000, 784};
  const SliceLayout layout = LayOutSlices(kFast, shape, {.count = 1000});
  EXPECT_LE(static_cast<double>(layout.max_count) * ProjectSeconds(kFast, shape), kChunkSeconds);
  EXPECT_LE(static_cast<double>(layout.max_count) * SortSeconds(kFast, shape), kChunkSeconds);
  const ProblemShape huge{1 << 29, 1 << 29, 2};
  EXPECT_EQ(LayOutSlices(kFast, huge, {.count = 1000}).max_count, 1);
}

TEST(SliceLayout, ProjectionsOfAChunkStayWithin128MiB) {
  for (const int64_t n : {100, 20'000, 1'000'000}) {
    const SliceLayout layout = LayOutSlices(kFast, {n, n, 2}, {.count = 1 << 20});
    EXPECT_LE(layout.max_count * 2 * n * 4, 128 << 20) << n;
  }
}

}  // namespace
}  // namespace riesz::cuda
