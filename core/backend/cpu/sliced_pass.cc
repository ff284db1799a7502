#include "core/backend/cpu/sliced_pass.h"

#include <algorithm>
#include <cmath>

#include "core/backend/cpu/product.h"

namespace riesz::cpu {

namespace {

// Panels of one tile: enough that a strip of directions is read from L1 for all of them, few enough
// that theirs stay in L2.
constexpr int64_t kTilePanels = 8;
constexpr int64_t kTileRows = kTilePanels * kPanelRows;
// Longest run of products summed in one register tile: 392 * 12 floats of a strip fit in L1.
constexpr int64_t kMaxDepth = 392;
// Flops of one tile, about 8 ms.
constexpr int64_t kTileFlops = int64_t{600} << 20;
// Projections of a chunk stay in the last-level cache where they can.
constexpr int64_t kChunkFloats = int64_t{10} << 20;
constexpr int64_t kMinChunkSlices = 264;
constexpr int64_t kMaxChunkSlices = 1020;

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

int64_t MaxChunkSlices(ProblemShape shape) {
  const int64_t fitting = kChunkFloats / (shape.n + shape.m) / kStripWidth * kStripWidth;
  return std::clamp(fitting, kMinChunkSlices, kMaxChunkSlices);
}

}  // namespace

SlicedPass::Layout::Layout(ProblemShape shape, const DirectionSpec& spec)
    : blocks(DirectionBlockCount(spec, shape.d)) {
  const int64_t limit = MaxChunkSlices(shape);
  Chunk open;
  const auto close = [&] {
    if (open.count > 0) chunks.push_back(open);
    open = {};
  };
  for (int64_t b = 0; b < blocks; ++b) {
    const DirectionBlock block = DirectionBlockAt(spec, shape.d, b);
    slices = block.first + block.count;
    direction_rows = std::max(direction_rows, block.count);
    if (block.count > limit) {
      close();
      pieces = true;
      const int64_t piece_count = CeilDiv(block.count, limit);
      const int64_t piece = CeilDiv(CeilDiv(block.count, piece_count), kStripWidth) * kStripWidth;
      for (int64_t skipped = 0; skipped < block.count; skipped += piece) {
        const int64_t count = std::min(piece, block.count - skipped);
        chunks.push_back(
            {block.first + skipped, count, b, b + 1, skipped, skipped + count == block.count});
      }
      continue;
    }
    if (open.count + block.count > limit) close();
    if (open.count == 0) open = {block.first, 0, b, b, 0, true};
    open.count += block.count;
    open.end_block = b + 1;
  }
  close();
  for (const Chunk& chunk : chunks) {
    max_chunk = std::max(max_chunk, chunk.count);
    max_blocks = std::max(max_blocks, chunk.end_block - chunk.first_block);
  }
  direction_rows = std::max(direction_rows, max_chunk);
}

SlicedPass::SlicedPass(ThreadPool& pool, ProblemShape shape, const DirectionSpec& directions,
                       SlicedNeeds needs)
    : pool_(pool),
      shape_(shape),
      spec_(directions),
      needs_(needs),
      layout_(shape, directions),
      slices_(layout_.slices),
      panel_floats_(shape.d * kPanelRows),
      pair_(shape),
      directions_(layout_.direction_rows * shape.d),
      direction_strips_(PaddedColumns(layout_.max_chunk) * shape.d),
      x_projections_(layout_.max_chunk * PaddedRows(shape.n)),
      y_projections_(layout_.max_chunk * PaddedRows(shape.m)) {
  const int workers = pool.threads();
  if (needs.gradient) {
    gradient_ = Buffer(PaddedRows(shape.n) * shape.d);
    coordinate_strips_ = Buffer(PaddedColumns(shape.d) * layout_.max_chunk);
    for (int w = 0; w < workers; ++w) {
      velocity_panels_.emplace_back(kTilePanels * layout_.max_chunk * kPanelRows);
    }
  }
  if (needs.gradient_error) {
    block_squares_.resize(static_cast<size_t>(shape.n));
    if (SumsBlocks()) {
      for (int w = 0; w < workers; ++w) block_panels_.emplace_back(panel_floats_);
      if (layout_.pieces) block_sum_ = Buffer(PaddedRows(shape.n) * shape.d);
    }
  }
  for (int w = 0; w < workers; ++w) scratch_.emplace_back(shape.n, shape.m, needs.values);
  if (needs.values) {
    values_.resize(static_cast<size_t>(slices_));
    averaged_.resize(values_.size());
  }
  for (int w = 0; w < (DrawsAtOnce(layout_, pool) ? workers : 1); ++w) {
    direction_scratch_.emplace_back(directions, shape.d);
  }
}

// Large blocks are drawn one after the other by all threads, many small ones by a thread each.
bool SlicedPass::DrawsAtOnce(const Layout& layout, const ThreadPool& pool) {
  return layout.max_blocks >= 4 * pool.threads();
}

int64_t SlicedPass::Bytes(const ThreadPool& pool, ProblemShape shape,
                          const DirectionSpec& directions, SlicedNeeds needs) {
  const Layout layout(shape, directions);
  const int64_t x_floats = PaddedRows(shape.n) * shape.d;
  int64_t bytes = PackedPair::Bytes(shape);
  bytes += Buffer::Bytes(layout.direction_rows * shape.d);
  bytes += Buffer::Bytes(PaddedColumns(layout.max_chunk) * shape.d);
  bytes += Buffer::Bytes(layout.max_chunk * PaddedRows(shape.n));
  bytes += Buffer::Bytes(layout.max_chunk * PaddedRows(shape.m));
  if (needs.gradient) {
    bytes += Buffer::Bytes(x_floats);
    bytes += Buffer::Bytes(PaddedColumns(shape.d) * layout.max_chunk);
    bytes += pool.threads() * Buffer::Bytes(kTilePanels * layout.max_chunk * kPanelRows);
  }
  if (needs.gradient_error) {
    bytes += shape.n * 8 + pool.threads() * Buffer::Bytes(shape.d * kPanelRows);
    if (layout.pieces && directions.kind != DirectionKind::kIid) bytes += Buffer::Bytes(x_floats);
  }
  bytes += pool.threads() * SliceScratch::Bytes(shape.n, shape.m, needs.values);
  if (needs.values) bytes += layout.slices * static_cast<int64_t>(sizeof(SliceValue) + 8);
  bytes += (DrawsAtOnce(layout, pool) ? pool.threads() : 1) *
           DirectionScratch::Bytes(directions, shape.d);
  return bytes;
}

bool SlicedPass::SumsBlocks() const { return needs_.gradient_error && !iid(); }

int64_t SlicedPass::ProjectionColumns() const {
  const int64_t fitting = kTileFlops / (2 * kTileRows * shape_.d) / kStripWidth * kStripWidth;
  return std::max(fitting, kStripWidth);
}

int64_t SlicedPass::ProjectionTiles(const Chunk& chunk, int64_t rows) const {
  return CeilDiv(PanelCount(rows), kTilePanels) * CeilDiv(chunk.count, ProjectionColumns());
}

void SlicedPass::PlanSlices(TilePlan& plan, const int64_t* step, const bool* measure) {
  for (const Chunk& chunk : layout_.chunks) {
    const bool first = &chunk == layout_.chunks.data();
    plan.AddSerial([this, &chunk, step] { DrawDirections(chunk, *step); });
    plan.AddPhase(StripCount(chunk.count) + (needs_.gradient ? StripCount(shape_.d) : 0),
                  CopySeconds(std::max(shape_.d, chunk.count) * kStripWidth),
                  [this, &chunk](int64_t strip, int) { PackStrips(chunk, strip); });
    const int64_t x_tiles = ProjectionTiles(chunk, shape_.n);
    const int64_t y_tiles = ProjectionTiles(chunk, shape_.m);
    plan.AddPhase(x_tiles + y_tiles,
                  ProductSeconds(kTileRows, std::min(chunk.count, ProjectionColumns()), shape_.d),
                  [this, &chunk, x_tiles](int64_t tile, int) {
                    if (tile < x_tiles) {
                      Project(chunk, pair_.x_panel(0), shape_.n, tile, x_projections_.data());
                    } else {
                      Project(chunk, pair_.y_panel(0), shape_.m, tile - x_tiles,
                              y_projections_.data());
                    }
                  });
    plan.AddPhase(chunk.count, static_cast<double>(shape_.n + shape_.m) * kSecondsPerSortedPoint,
                  [this, &chunk, measure](int64_t slice, int worker) {
                    Rank(chunk, slice, worker, *measure);
                  });
    if (!needs_.gradient) continue;
    plan.AddPhase(CeilDiv(PanelCount(shape_.n), kTilePanels),
                  ProductSeconds(kTileRows, chunk.count, shape_.d),
                  [this, &chunk, first](int64_t tile, int worker) {
                    ProjectBack(chunk, first, tile, worker);
                  });
    // A block that lies whole in its chunk has been added there.
    if (SumsBlocks() && chunk.skipped > 0 && chunk.ends_block) {
      plan.AddPhase(PanelCount(shape_.n), 2 * CopySeconds(panel_floats_),
                    [this, &chunk](int64_t panel, int) { EndBlock(chunk, panel); });
    }
  }
}

void SlicedPass::DrawDirections(const Chunk& chunk, int64_t step) {
  if (chunk.skipped > 0) return;  // the block is still in the buffer
  const auto draw = [&](int64_t b, int worker, const ParallelFor& parallel) {
    const DirectionBlock block = DirectionBlockAt(spec_, shape_.d, b);
    GenerateDirectionBlock(spec_, shape_.d, static_cast<uint64_t>(step), b,
                           directions_.data() + (block.first - chunk.first) * shape_.d,
                           direction_scratch_[static_cast<size_t>(worker)], parallel);
  };
  if (DrawsAtOnce(layout_, pool_)) {
    pool_.For(chunk.end_block - chunk.first_block,
              [&](int64_t b, int worker) { draw(chunk.first_block + b, worker, SerialFor); });
    return;
  }
  const ParallelFor on_pool = [this](int64_t tasks, const std::function<void(int64_t)>& body) {
    pool_.For(tasks, [&body](int64_t task, int) { body(task); });
  };
  for (int64_t b = chunk.first_block; b < chunk.end_block; ++b) draw(b, 0, on_pool);
}

void SlicedPass::PackStrips(const Chunk& chunk, int64_t strip) {
  const float* directions = directions_.data() + chunk.skipped * shape_.d;
  const int64_t direction_strips = StripCount(chunk.count);
  if (strip < direction_strips) {
    PackDirectionStrip(directions, chunk.count, shape_.d, strip, direction_strips_.data());
  } else {
    PackCoordinateStrip(directions, chunk.count, shape_.d, strip - direction_strips,
                        coordinate_strips_.data());
  }
}

void SlicedPass::Project(const Chunk& chunk, const float* panels, int64_t rows, int64_t tile,
                         float* out) {
  const int64_t row_tiles = CeilDiv(PanelCount(rows), kTilePanels);
  const int64_t first_panel = tile % row_tiles * kTilePanels;
  const int64_t first_column = tile / row_tiles * ProjectionColumns();
  StripProduct p;
  p.panels = panels + first_panel * panel_floats_;
  p.panel_count = std::min(kTilePanels, PanelCount(rows) - first_panel);
  p.panel_stride = panel_floats_;
  p.strips = direction_strips_.data();
  p.strip_depth = shape_.d;
  p.columns = chunk.count;
  p.first_column = first_column;
  p.end_column = std::min(chunk.count, first_column + ProjectionColumns());
  p.out = out + first_panel * kPanelRows;
  p.out_panel_stride = kPanelRows;
  p.out_stride = PaddedRows(rows);
  const int64_t depth = CeilDiv(shape_.d, CeilDiv(shape_.d, kMaxDepth));
  for (int64_t k = 0; k < shape_.d; k += depth) {
    p.first_depth = k;
    p.end_depth = std::min(shape_.d, k + depth);
    p.accumulate = k > 0;
    Multiply(p);
  }
}

void SlicedPass::Rank(const Chunk& chunk, int64_t slice, int worker, bool measure) {
  float* x = x_projections_.data() + slice * PaddedRows(shape_.n);
  const float* y = y_projections_.data() + slice * PaddedRows(shape_.m);
  SliceScratch& scratch = scratch_[static_cast<size_t>(worker)];
  SliceValue* value = measure ? &values_[static_cast<size_t>(chunk.first + slice)] : nullptr;
  if (needs_.gradient) {
    SliceVelocities(x, shape_.n, y, shape_.m, scratch, value);
  } else {
    *value = MeasureSlice(x, shape_.n, y, shape_.m, scratch);
  }
}

void SlicedPass::ProjectBack(const Chunk& chunk, bool first, int64_t tile, int worker) {
  const int64_t first_panel = tile * kTilePanels;
  const int64_t panels = std::min(kTilePanels, PanelCount(shape_.n) - first_panel);
  float* velocities = velocity_panels_[static_cast<size_t>(worker)].data();
  for (int64_t q = 0; q < panels; ++q) {
    const float* from = x_projections_.data() + (first_panel + q) * kPanelRows;
    float* to = velocities + q * chunk.count * kPanelRows;
    for (int64_t p = 0; p < chunk.count; ++p) {
      std::copy_n(from + p * PaddedRows(shape_.n), kPanelRows, to + p * kPanelRows);
    }
  }
  const bool in_blocks = SumsBlocks() && chunk.skipped == 0 && chunk.ends_block;
  if (in_blocks) {
    for (int64_t q = 0; q < panels; ++q) {
      const int64_t panel = first_panel + q;
      if (first) ClearSums(panel);
      SumBlocksOf(chunk, velocities + q * chunk.count * kPanelRows, panel,
                  block_panels_[static_cast<size_t>(worker)].data());
    }
    return;
  }
  if (needs_.gradient_error && iid()) {
    for (int64_t q = 0; q < panels; ++q) {
      const int64_t row = (first_panel + q) * kPanelRows;
      for (int64_t r = 0; r < std::min(kPanelRows, shape_.n - row); ++r) {
        double squares = first ? 0 : block_squares_[static_cast<size_t>(row + r)];
        const float* h = velocities + q * chunk.count * kPanelRows + r;
        for (int64_t p = 0; p < chunk.count; ++p) {
          squares += static_cast<double>(h[p * kPanelRows]) * h[p * kPanelRows];
        }
        block_squares_[static_cast<size_t>(row + r)] = squares;
      }
    }
  }
  StripProduct p;
  p.panels = velocities;
  p.panel_count = panels;
  p.panel_stride = chunk.count * kPanelRows;
  p.strips = coordinate_strips_.data();
  p.strip_depth = chunk.count;
  p.columns = shape_.d;
  p.end_column = shape_.d;
  p.out_panel_stride = panel_floats_;
  p.out_stride = kPanelRows;
  // A piece of a block whose sum is wanted goes to the block's own sum, which EndBlock adds.
  p.out = (SumsBlocks() ? block_sum_.data() : gradient_.data()) + first_panel * panel_floats_;
  p.accumulate = SumsBlocks() ? chunk.skipped > 0 : !first;
  const int64_t depth = CeilDiv(chunk.count, CeilDiv(chunk.count, kMaxDepth));
  for (int64_t k = 0; k < chunk.count; k += depth) {
    p.first_depth = k;
    p.end_depth = std::min(chunk.count, k + depth);
    Multiply(p);
    p.accumulate = true;
  }
}

void SlicedPass::ClearSums(int64_t panel) {
  std::fill_n(gradient_panel(panel), panel_floats_, 0.0f);
  const int64_t rows = std::min(kPanelRows, shape_.n - panel * kPanelRows);
  std::fill_n(block_squares_.data() + panel * kPanelRows, rows, 0.0);
}

void SlicedPass::SumBlocksOf(const Chunk& chunk, const float* velocities, int64_t panel,
                             float* sums) {
  StripProduct p;
  p.panels = velocities;
  p.panel_count = 1;
  p.strips = coordinate_strips_.data();
  p.strip_depth = chunk.count;
  p.columns = shape_.d;
  p.end_column = shape_.d;
  p.out = sums;
  p.out_stride = kPanelRows;
  float* total = gradient_panel(panel);
  for (int64_t b = chunk.first_block; b < chunk.end_block; ++b) {
    const DirectionBlock block = DirectionBlockAt(spec_, shape_.d, b);
    p.first_depth = block.first - chunk.first;
    p.end_depth = p.first_depth + block.count;
    Multiply(p);
    AddSquares(sums, panel, 1.0 / static_cast<double>(block.count));
    for (int64_t k = 0; k < panel_floats_; ++k) total[k] += sums[k];
  }
}

void SlicedPass::EndBlock(const Chunk& chunk, int64_t panel) {
  const float* sums = block_sum_.data() + panel * panel_floats_;
  float* total = gradient_panel(panel);
  if (chunk.first_block == 0) ClearSums(panel);
  AddSquares(sums, panel, 1.0 / static_cast<double>(chunk.skipped + chunk.count));
  for (int64_t k = 0; k < panel_floats_; ++k) total[k] += sums[k];
}

void SlicedPass::AddSquares(const float* sums, int64_t panel, double weight) {
  double squares[kPanelRows] = {};
  for (int64_t k = 0; k < shape_.d; ++k) {
    for (int64_t r = 0; r < kPanelRows; ++r) {
      const double s = sums[k * kPanelRows + r];
      squares[r] += s * s;
    }
  }
  const int64_t rows = std::min(kPanelRows, shape_.n - panel * kPanelRows);
  for (int64_t r = 0; r < rows; ++r) block_squares_[panel * kPanelRows + r] += squares[r] * weight;
}

SliceMean SlicedPass::Average(const std::function<double(const SliceValue&)>& value) {
  std::transform(values_.begin(), values_.end(), averaged_.begin(), value);
  return AverageSlices(averaged_, spec_, shape_.d);
}

}  // namespace riesz::cpu
