#include "core/backend/cuda/slice_layout.h"

#include <algorithm>

#include "core/backend/cuda/launch_plan.h"

namespace riesz::cuda {
namespace {

// Projections of a chunk: 128 MB.
constexpr int64_t kChunkFloats = int64_t{32} << 20;

int64_t MaxChunkSlices(const DeviceSpeed& speed, ProblemShape shape) {
  const double slowest = std::max(
      {ProjectSeconds(speed, shape), SortSeconds(speed, shape), ProjectBackSeconds(speed, shape)});
  const double by_time = std::min(kChunkSeconds / slowest, 1e9);
  const int64_t by_memory = kChunkFloats / (shape.n + shape.m);
  return std::max<int64_t>(1, std::min(static_cast<int64_t>(by_time), by_memory));
}

}  // namespace

double ProjectSeconds(const DeviceSpeed& speed, ProblemShape shape) {
  return 2.0 * static_cast<double>(shape.n + shape.m) * static_cast<double>(shape.d) / speed.flops;
}

double SortSeconds(const DeviceSpeed& speed, ProblemShape shape) {
  return static_cast<double>(shape.n + shape.m) / speed.sorted_keys;
}

double ProjectBackSeconds(const DeviceSpeed& speed, ProblemShape shape) {
  return 2.0 * static_cast<double>(shape.n) * static_cast<double>(shape.d) / speed.flops;
}

double CopySeconds(const DeviceSpeed& speed, int64_t floats) {
  return 8.0 * static_cast<double>(floats) / speed.bytes;
}

SliceLayout LayOutSlices(const DeviceSpeed& speed, ProblemShape shape, const DirectionSpec& spec) {
  const int64_t limit = MaxChunkSlices(speed, shape);
  SliceLayout layout;
  SliceChunk open;
  const auto close = [&] {
    if (open.count > 0) layout.chunks.push_back(open);
    open = {};
  };
  const int64_t blocks = DirectionBlockCount(spec, shape.d);
  for (int64_t b = 0; b < blocks; ++b) {
    const DirectionBlock block = DirectionBlockAt(spec, shape.d, b);
    layout.slices = block.first + block.count;
    if (block.count > limit) {
      close();
      const int64_t piece = CeilDiv(block.count, CeilDiv(block.count, limit));
      for (int64_t skipped = 0; skipped < block.count; skipped += piece) {
        layout.chunks.push_back(
            {block.first + skipped, std::min(piece, block.count - skipped), b, b + 1, skipped});
      }
      layout.direction_rows = std::max(layout.direction_rows, block.count);
      continue;
    }
    if (open.count + block.count > limit) close();
    if (open.count == 0) open = {block.first, 0, b, b, 0};
    open.count += block.count;
    open.end_block = b + 1;
  }
  close();
  for (const SliceChunk& chunk : layout.chunks) {
    layout.max_count = std::max(layout.max_count, chunk.count);
  }
  layout.direction_rows = std::max(layout.direction_rows, layout.max_count);
  return layout;
}

}  // namespace riesz::cuda
