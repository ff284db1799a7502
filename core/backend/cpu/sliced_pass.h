// One pass over all slices of a problem: the part that sliced values, gradients and flow steps
// share.
//
// Per slice chunk: draw directions, project particles and targets (slice_products.h), rank every
// slice (ranks.h; power_slices.h where r != 1), and carry the velocities back. Chunks of slices are
// whole direction blocks where these are small, and equal pieces of one block where it is large;
// they follow from the shape alone.
//
// Thread safety: none; a pass belongs to its operation. Its tiles run on several threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "core/backend/backend.h"
#include "core/backend/cpu/packed_pair.h"
#include "core/backend/cpu/panels.h"
#include "core/backend/cpu/power_slices.h"
#include "core/backend/cpu/ranks.h"
#include "core/backend/cpu/slice_products.h"
#include "core/backend/cpu/tile_plan.h"
#include "core/directions.h"
#include "core/matrix.h"
#include "core/slicing_error.h"

namespace riesz::cpu {

// What a pass computes.
struct SlicedNeeds {
  bool gradient = false;
  bool gradient_error = false;  // squares of block sums; needs gradient
  bool values = false;
};

class SlicedPass {
 public:
  // Allocates all scratch; throws std::bad_alloc.
  SlicedPass(ThreadPool& pool, ProblemShape shape, double exponent, const DirectionSpec& directions,
             SlicedNeeds needs);
  static int64_t Bytes(const ThreadPool& pool, ProblemShape shape, double exponent,
                       const DirectionSpec& directions, SlicedNeeds needs);

  // Plans: the target's centre and panels; then the particles' panels (n, d) row-major; then all
  // slices. `y` and `x` must outlive the plan's run; `step` and `measure` are read when slices run.
  void PlanTarget(TilePlan& plan, MatrixView y) { pair_.PlanTarget(plan, y); }
  void PlanParticles(TilePlan& plan, MatrixView x) { pair_.PlanParticles(plan, x); }
  void PlanSlices(TilePlan& plan, const int64_t* step, const bool* measure);

  // Sum over all slices of h_i xi, in panels (n, d).
  const float* gradient_panel(int64_t q) const { return gradient_.data() + q * panel_floats_; }
  float* gradient_panel(int64_t q) { return gradient_.data() + q * panel_floats_; }
  // The whole buffers, (padded n, d) panels, for a flow that changes places with them between
  // passes.
  Buffer& gradient_buffer() { return gradient_; }
  Buffer& particle_buffer() { return pair_.x(); }
  // Centred particles: free between passes.
  float* particle_panel(int64_t q) { return pair_.x_panel(q); }
  const float* centre() const { return pair_.centre(); }
  // A panel of centred particles was written otherwise than by PlanParticles.
  void MeasureParticles(int64_t q) { pair_.MeasureParticles(q); }
  // Whether centring overflowed float32: then nothing computed here means anything.
  bool overflowed() const { return overflowed_; }
  // Sum over blocks of |block sum of particle i|^2 / block size.
  double block_squares(int64_t i) const { return block_squares_[static_cast<size_t>(i)]; }

  int64_t slices() const { return slices_; }
  bool iid() const { return spec_.kind == DirectionKind::kIid; }
  // Mean over slices of `value` and its standard error.
  SliceMean Average(const std::function<double(const SliceValue&)>& value);

 private:
  // Slices [first, first + count), from blocks [first_block, end_block).
  struct Chunk {
    int64_t first = 0;
    int64_t count = 0;
    int64_t first_block = 0;
    int64_t end_block = 0;
    int64_t skipped = 0;  // slices of the first block that earlier chunks took
    bool ends_block = true;
    std::vector<DirectionBlock> runs;  // its blocks where their sums are wanted, else all of it
    // Whether its blocks' sums are made within the chunk.
    bool whole_blocks() const { return skipped == 0 && ends_block; }
  };
  // Sizes that follow from shape and spec alone.
  struct Layout {
    Layout(ProblemShape shape, const DirectionSpec& spec, bool sums_blocks);
    std::vector<Chunk> chunks;
    int64_t slices = 0;
    int64_t blocks = 0;
    int64_t max_chunk = 0;       // slices of the largest chunk
    int64_t direction_rows = 0;  // rows of the direction buffer
    bool pieces = false;         // some block spans several chunks
    int64_t max_blocks = 0;      // blocks of the chunk that has most
    int64_t max_runs = 0;        // likewise
  };

  static bool DrawsAtOnce(const Layout& layout, const ThreadPool& pool);
  // Whether the sums of direction blocks are wanted one by one.
  static bool SumsBlocks(const DirectionSpec& spec, SlicedNeeds needs);
  static SliceProductsShape ProductsShape(const ThreadPool& pool, ProblemShape shape,
                                          const Layout& layout, SlicedNeeds needs);
  bool SumsBlocks() const { return SumsBlocks(spec_, needs_); }
  void DrawDirections(const Chunk& chunk, int64_t step);
  void Project(const Chunk& chunk, const float* panels, int64_t rows, int64_t tile, float* out,
               int worker);
  void Rank(const Chunk& chunk, int64_t slice, int worker, bool measure);
  void CarryBack(const Chunk& chunk, bool first, int64_t tile, int worker);
  void CarryBlocksBack(const Chunk& chunk, bool first, int64_t first_panel, int64_t panels,
                       int worker);
  void AddVelocitySquares(const Chunk& chunk, bool first, int64_t panel);
  void EndBlock(const Chunk& chunk, int64_t panel);
  // Adds a block's sums (dim, 32) to the panel's gradient, and their squares over `count` to
  // block_squares_. Of the first block: `sums` is the panel's gradient already, its squares begin.
  void AddBlock(const float* sums, int64_t panel, int64_t count, bool first);
  int64_t RowsOfPanel(int64_t panel) const {
    return std::min(kPanelRows, shape_.n - panel * kPanelRows);
  }
  int64_t ProjectionColumns() const;
  int64_t ProjectionTiles(const Chunk& chunk, int64_t rows) const;

  ThreadPool& pool_;
  const ProblemShape shape_;
  const DirectionSpec spec_;
  const SlicedNeeds needs_;
  const Layout layout_;
  const int64_t slices_;
  const int64_t panel_floats_;  // of one panel

  PackedPair pair_;
  float scale_ = 1;  // of projections
  bool overflowed_ = false;
  Buffer gradient_, block_sum_;  // panels
  std::vector<double> block_squares_;
  std::vector<DirectionScratch> direction_scratch_;  // one, or one per worker for many blocks
  Buffer directions_;                                // row-major
  std::unique_ptr<SliceProducts> products_;
  Buffer x_projections_, y_projections_;     // (slices of a chunk, padded rows)
  std::vector<Buffer> block_panels_;         // per worker
  std::vector<SliceScratch> scratch_;        // per worker, where r = 1
  std::optional<PowerSlices> power_;         // where r != 1
  std::vector<PowerScratch> power_scratch_;  // per worker, where r != 1
  std::vector<SliceValue> values_;           // (slices)
  std::vector<double> averaged_;             // (slices)
};

}  // namespace riesz::cpu
