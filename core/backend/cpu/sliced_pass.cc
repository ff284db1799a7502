#include "core/backend/cpu/sliced_pass.h"

#include <algorithm>
#include <cmath>

#include "core/backend/cpu/panel_sums.h"

namespace riesz::cpu {

namespace {

constexpr int64_t kTileRows = kTilePanels * kPanelRows;
// Flops of one tile, about 8 ms on vectors.
constexpr int64_t kTileFlops = int64_t{600} << 20;
// Projections of a chunk stay in the last-level cache where they can.
constexpr int64_t kChunkFloats = int64_t{10} << 20;
constexpr int64_t kMinChunkSlices = 264;
constexpr int64_t kMaxChunkSlices = 1020;
// Fewer than the minimum where so many floats would not hold it: 10^7 particles on either side must
// not ask for 20 GB of scratch.
constexpr int64_t kMaxChunkFloats = int64_t{256} << 20;

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

int64_t MaxChunkSlices(ProblemShape shape) {
  const auto fitting = [&](int64_t floats) {
    return floats / (shape.n + shape.m) / kStripWidth * kStripWidth;
  };
  const int64_t least = std::clamp(fitting(kMaxChunkFloats), kStripWidth, kMinChunkSlices);
  return std::clamp(fitting(kChunkFloats), least, kMaxChunkSlices);
}

}  // namespace

SlicedPass::Layout::Layout(ProblemShape shape, const DirectionSpec& spec, bool sums_blocks)
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
            {block.first + skipped, count, b, b + 1, skipped, skipped + count == block.count, {}});
      }
      continue;
    }
    if (open.count + block.count > limit) close();
    if (open.count == 0) open = {block.first, 0, b, b, 0, true, {}};
    if (sums_blocks) open.runs.push_back({open.count, block.count});
    open.count += block.count;
    open.end_block = b + 1;
  }
  close();
  for (Chunk& chunk : chunks) {
    if (chunk.runs.empty()) chunk.runs.push_back({0, chunk.count});
    max_chunk = std::max(max_chunk, chunk.count);
    max_runs = std::max(max_runs, static_cast<int64_t>(chunk.runs.size()));
    max_blocks = std::max(max_blocks, chunk.end_block - chunk.first_block);
  }
  direction_rows = std::max(direction_rows, max_chunk);
}

SlicedPass::SlicedPass(ThreadPool& pool, ProblemShape shape, double exponent,
                       const DirectionSpec& directions, SlicedNeeds needs)
    : pool_(pool),
      shape_(shape),
      spec_(directions),
      needs_(needs),
      layout_(shape, directions, SumsBlocks(directions, needs)),
      slices_(layout_.slices),
      panel_floats_(shape.d * kPanelRows),
      pair_(shape),
      directions_(layout_.direction_rows * shape.d),
      products_(SliceProducts::Make(ProductsShape(pool, shape, layout_, needs))),
      x_projections_(layout_.max_chunk * PaddedRows(shape.n)),
      y_projections_(layout_.max_chunk * PaddedRows(shape.m)) {
  const int workers = pool.threads();
  if (needs.gradient) gradient_ = Buffer(PaddedRows(shape.n) * shape.d);
  if (needs.gradient_error) {
    block_squares_.resize(static_cast<size_t>(shape.n));
    if (SumsBlocks()) {
      for (int w = 0; w < workers; ++w) block_panels_.emplace_back(panel_floats_);
      if (layout_.pieces) block_sum_ = Buffer(PaddedRows(shape.n) * shape.d);
    }
  }
  if (exponent != 1) power_.emplace(exponent);
  for (int w = 0; w < workers; ++w) {
    if (power_) {
      power_scratch_.emplace_back(shape.n, shape.m);
    } else {
      scratch_.emplace_back(shape.n, shape.m, needs.values);
    }
  }
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

int64_t SlicedPass::Bytes(const ThreadPool& pool, ProblemShape shape, double exponent,
                          const DirectionSpec& directions, SlicedNeeds needs) {
  const Layout layout(shape, directions, SumsBlocks(directions, needs));
  const int64_t x_floats = PaddedRows(shape.n) * shape.d;
  int64_t bytes = PackedPair::Bytes(shape);
  bytes += Buffer::Bytes(layout.direction_rows * shape.d);
  bytes += SliceProducts::Bytes(ProductsShape(pool, shape, layout, needs));
  bytes += Buffer::Bytes(layout.max_chunk * PaddedRows(shape.n));
  bytes += Buffer::Bytes(layout.max_chunk * PaddedRows(shape.m));
  if (needs.gradient) bytes += Buffer::Bytes(x_floats);
  if (needs.gradient_error) {
    bytes += shape.n * 8 + pool.threads() * Buffer::Bytes(shape.d * kPanelRows);
    if (layout.pieces && directions.kind != DirectionKind::kIid) bytes += Buffer::Bytes(x_floats);
  }
  bytes += pool.threads() * (exponent != 1 ? PowerScratch::Bytes(shape.n, shape.m)
                                           : SliceScratch::Bytes(shape.n, shape.m, needs.values));
  if (needs.values) bytes += layout.slices * static_cast<int64_t>(sizeof(SliceValue) + 8);
  bytes += (DrawsAtOnce(layout, pool) ? pool.threads() : 1) *
           DirectionScratch::Bytes(directions, shape.d);
  return bytes;
}

bool SlicedPass::SumsBlocks(const DirectionSpec& spec, SlicedNeeds needs) {
  return needs.gradient_error && spec.kind != DirectionKind::kIid;
}

SliceProductsShape SlicedPass::ProductsShape(const ThreadPool& pool, ProblemShape shape,
                                             const Layout& layout, SlicedNeeds needs) {
  return {.dim = shape.d,
          .max_slices = layout.max_chunk,
          .max_runs = layout.max_runs,
          .workers = pool.threads(),
          .back = needs.gradient};
}

int64_t SlicedPass::ProjectionColumns() const {
  constexpr int64_t kStep = SliceProducts::kSliceStep;
  return std::max(kTileFlops / (2 * kTileRows * shape_.d) / kStep * kStep, kStep);
}

int64_t SlicedPass::ProjectionTiles(const Chunk& chunk, int64_t rows) const {
  return CeilDiv(PanelCount(rows), kTilePanels) * CeilDiv(chunk.count, ProjectionColumns());
}

void SlicedPass::PlanSlices(TilePlan& plan, const int64_t* step, const bool* measure) {
  plan.AddSerial([this] {
    overflowed_ = !std::isfinite(pair_.largest());
    // Other exponents' velocities depend on the scale; they run on the data as they are.
    scale_ = products_->ChooseScale(power_ ? 1 : pair_.largest());
  });
  for (const Chunk& chunk : layout_.chunks) {
    const bool first = &chunk == layout_.chunks.data();
    plan.AddSerial([this, &chunk, step] { DrawDirections(chunk, *step); });
    plan.AddPhase(products_->pack_tiles(chunk.count),
                  CopySeconds(std::max(shape_.d, chunk.count) * kTileSide),
                  [this](int64_t tile, int) { products_->Pack(tile); });
    const int64_t x_tiles = ProjectionTiles(chunk, shape_.n);
    const int64_t y_tiles = ProjectionTiles(chunk, shape_.m);
    plan.AddPhase(x_tiles + y_tiles,
                  ProductSeconds(kTileRows, std::min(chunk.count, ProjectionColumns()), shape_.d),
                  [this, &chunk, x_tiles](int64_t tile, int worker) {
                    if (tile < x_tiles) {
                      Project(chunk, pair_.x_panel(0), shape_.n, tile, x_projections_.data(),
                              worker);
                    } else {
                      Project(chunk, pair_.y_panel(0), shape_.m, tile - x_tiles,
                              y_projections_.data(), worker);
                    }
                  });
    plan.AddPhase(chunk.count,
                  static_cast<double>(shape_.n + shape_.m) *
                      (power_ ? kSecondsPerPowerPoint : kSecondsPerSortedPoint),
                  [this, &chunk, measure](int64_t slice, int worker) {
                    Rank(chunk, slice, worker, *measure);
                  });
    if (!needs_.gradient) continue;
    plan.AddPhase(
        CeilDiv(PanelCount(shape_.n), kTilePanels),
        ProductSeconds(kTileRows, chunk.count, shape_.d),
        [this, &chunk, first](int64_t tile, int worker) { CarryBack(chunk, first, tile, worker); });
    // A block that lies whole in its chunk has been added there.
    if (SumsBlocks() && chunk.skipped > 0 && chunk.ends_block) {
      plan.AddPhase(PanelCount(shape_.n), 2 * CopySeconds(panel_floats_),
                    [this, &chunk](int64_t panel, int) { EndBlock(chunk, panel); });
    }
  }
}

void SlicedPass::DrawDirections(const Chunk& chunk, int64_t step) {
  products_->Begin(directions_.data() + chunk.skipped * shape_.d, chunk.runs);
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

void SlicedPass::Project(const Chunk& chunk, const float* panels, int64_t rows, int64_t tile,
                         float* out, int worker) {
  const int64_t row_tiles = CeilDiv(PanelCount(rows), kTilePanels);
  const int64_t first_panel = tile % row_tiles * kTilePanels;
  const int64_t first = tile / row_tiles * ProjectionColumns();
  products_->Project(panels + first_panel * panel_floats_,
                     std::min(kTilePanels, PanelCount(rows) - first_panel), first,
                     std::min(chunk.count, first + ProjectionColumns()),
                     out + first_panel * kPanelRows, PaddedRows(rows), worker);
}

void SlicedPass::Rank(const Chunk& chunk, int64_t slice, int worker, bool measure) {
  float* x = x_projections_.data() + slice * PaddedRows(shape_.n);
  const float* y = y_projections_.data() + slice * PaddedRows(shape_.m);
  SliceValue* value = measure ? &values_[static_cast<size_t>(chunk.first + slice)] : nullptr;
  if (power_) {
    PowerScratch& scratch = power_scratch_[static_cast<size_t>(worker)];
    if (needs_.gradient) {
      power_->Velocities(x, shape_.n, y, shape_.m, scratch, value);
    } else {
      *value = power_->Measure(x, shape_.n, y, shape_.m, scratch);
    }
    return;
  }
  SliceScratch& scratch = scratch_[static_cast<size_t>(worker)];
  if (needs_.gradient) {
    SliceVelocities(x, shape_.n, y, shape_.m, scratch, value);
  } else {
    *value = MeasureSlice(x, shape_.n, y, shape_.m, scratch);
  }
}

void SlicedPass::CarryBack(const Chunk& chunk, bool first, int64_t tile, int worker) {
  const int64_t first_panel = tile * kTilePanels;
  const int64_t panels = std::min(kTilePanels, PanelCount(shape_.n) - first_panel);
  products_->Load(x_projections_.data() + first_panel * kPanelRows, PaddedRows(shape_.n), panels,
                  worker);
  if (SumsBlocks() && chunk.whole_blocks()) {
    CarryBlocksBack(chunk, first, first_panel, panels, worker);
    return;
  }
  if (needs_.gradient_error && iid()) {
    for (int64_t q = 0; q < panels; ++q) AddVelocitySquares(chunk, first, first_panel + q);
  }
  // A piece of a block whose sum is wanted goes to the block's own sum, which EndBlock adds.
  float* sums = (SumsBlocks() ? block_sum_ : gradient_).data() + first_panel * panel_floats_;
  products_->CarryBack(0, panels, 0, sums, SumsBlocks() ? chunk.skipped > 0 : !first, worker);
}

void SlicedPass::CarryBlocksBack(const Chunk& chunk, bool first, int64_t first_panel,
                                 int64_t panels, int worker) {
  float* sums = block_panels_[static_cast<size_t>(worker)].data();
  for (int64_t q = 0; q < panels; ++q) {
    const int64_t panel = first_panel + q;
    for (size_t run = 0; run < chunk.runs.size(); ++run) {
      const bool first_block = first && run == 0;
      float* to = first_block ? gradient_panel(panel) : sums;
      products_->CarryBack(q, 1, static_cast<int64_t>(run), to, false, worker);
      AddBlock(to, panel, chunk.runs[run].count, first_block);
    }
  }
}

void SlicedPass::AddVelocitySquares(const Chunk& chunk, bool first, int64_t panel) {
  double squares[kPanelRows] = {};
  AddPanelSquares(x_projections_.data() + panel * kPanelRows, PaddedRows(shape_.n), chunk.count,
                  squares);
  double* to = block_squares_.data() + panel * kPanelRows;
  for (int64_t r = 0; r < RowsOfPanel(panel); ++r) to[r] = (first ? 0 : to[r]) + squares[r];
}

void SlicedPass::EndBlock(const Chunk& chunk, int64_t panel) {
  const float* sums = block_sum_.data() + panel * panel_floats_;
  const bool first = chunk.first_block == 0;
  if (first) std::copy_n(sums, panel_floats_, gradient_panel(panel));
  AddBlock(first ? gradient_panel(panel) : sums, panel, chunk.skipped + chunk.count, first);
}

void SlicedPass::AddBlock(const float* sums, int64_t panel, int64_t count, bool first) {
  double squares[kPanelRows] = {};
  if (first) {
    AddPanelSquares(sums, kPanelRows, shape_.d, squares);
  } else {
    AddPanel(sums, shape_.d, gradient_panel(panel), squares);
  }
  double* to = block_squares_.data() + panel * kPanelRows;
  const double weight = 1.0 / static_cast<double>(count);
  for (int64_t r = 0; r < RowsOfPanel(panel); ++r) {
    to[r] = (first ? 0 : to[r]) + squares[r] * weight;
  }
}

SliceMean SlicedPass::Average(const std::function<double(const SliceValue&)>& value) {
  const double unscale = overflowed_ ? NAN : 1.0 / static_cast<double>(scale_);
  std::transform(values_.begin(), values_.end(), averaged_.begin(),
                 [&](const SliceValue& v) { return value(v) * unscale; });
  return AverageSlices(averaged_, spec_, shape_.d);
}

}  // namespace riesz::cpu
