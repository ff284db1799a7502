#include "core/backend/cpu/exact_pass.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/backend/cpu/product.h"
#include "core/backend/cpu/split.h"

namespace riesz::cpu {

namespace {

// How pairs are cut for the caches and into tiles of about 12 ms at three products.
struct Tiling {
  int64_t group_panels = 0;  // whose pairs with a block are worked on together
  double tile_flops = 0;
  int64_t max_block_rows = 0;
};
// 4 panels of d = 784 and one of the others are 0.5 MB, their pairs with a block 0.2 MB, which
// leaves L2 some air. The matrix unit works so fast that it waits for memory: 8 panels, 1.2 MB
// split, halve what it reads, larger blocks what it splits.
Tiling TilingFor(int64_t dim) {
  if (UsesMatrixUnit(dim)) return {8, 4e9, 1024};
  return {4, 1e9, 512};
}
// Blocks come in multiples of this where there are enough, so that rounds fill 1, 2 and 4 threads.
constexpr int64_t kBlockMultiple = 8;

// Pair `game` of `round` when `players` (even) play everyone once, in players - 1 rounds: the last
// player stays, the others turn.
std::pair<int64_t, int64_t> Game(int64_t players, int64_t round, int64_t game) {
  const int64_t turning = players - 1;
  if (game == 0) return {turning, round};
  return {(round + game) % turning, (round - game + turning) % turning};
}

// Pair (first < second) number `index` of `count` items.
std::pair<int64_t, int64_t> PairAt(int64_t count, int64_t index) {
  int64_t first = 0;
  while (index >= count - 1 - first) index -= count - 1 - first++;
  return {first, first + 1 + index};
}

// Panels whose pairs with a group are summed at a time.
constexpr int64_t kSumPanels = 8;

int64_t MaxPanels(const BlockSplit& x, const BlockSplit& y) {
  return std::max(x.max_panels(), y.max_panels());
}

// Buffers count floats.
int64_t Floats(int64_t numbers) { return numbers / 2; }
Bfloat16* Numbers(Buffer& buffer) { return reinterpret_cast<Bfloat16*>(buffer.data()); }

// Numbers from one row of tiles to the next.
int64_t RowNumbers(int64_t depth_tiles) { return depth_tiles * kSplitPieces * kTileNumbers; }

// Pairs of rows of split tiles that stay in L2 while a group's panels pass over them.
int64_t SlabPairs(int64_t depth_tiles) {
  constexpr int64_t kSlabBytes = 256 << 10;
  return std::max<int64_t>(1, kSlabBytes / (2 * RowNumbers(depth_tiles) * 2));
}

}  // namespace

BlockSplit::BlockSplit(int64_t count, int64_t dim) : panels_(PanelCount(count)) {
  const Tiling tiling = TilingFor(dim);
  const double fitting = std::sqrt(tiling.tile_flops / (6.0 * static_cast<double>(dim)));
  const int64_t rows =
      std::clamp<int64_t>(static_cast<int64_t>(fitting), kPanelRows, tiling.max_block_rows);
  const int64_t wanted = (count + rows - 1) / rows;
  const int64_t rounded = (wanted + kBlockMultiple - 1) / kBlockMultiple * kBlockMultiple;
  blocks_ = std::min(panels_, rounded);
}

ExactPass::TileSizes::TileSizes(ProblemShape shape, int64_t block_panels, bool gradient) {
  if (!UsesMatrixUnit(shape.d)) return;
  const int64_t row_numbers = RowNumbers(DepthTiles(shape.d));
  x_rows = Floats(PanelCount(shape.n) * 2 * row_numbers);
  y_rows = Floats(PanelCount(shape.m) * 2 * row_numbers);
  const int64_t group_panels = TilingFor(shape.d).group_panels;
  panel_tiles = Floats(group_panels * PanelTileNumbers(shape.d));
  if (!gradient) return;
  x_coordinates = Floats(RowTiles(shape.d) * RowNumbers(PanelCount(shape.n)));
  y_coordinates = Floats(RowTiles(shape.d) * RowNumbers(PanelCount(shape.m)));
  weight_tiles = Floats(group_panels * PanelTileNumbers(block_panels * kPanelRows));
}

ExactPass::ExactPass(ThreadPool& pool, ProblemShape shape, double exponent, bool gradient)
    : pool_(pool),
      shape_(shape),
      exponent_(exponent),
      x_split_(shape.n, shape.d),
      y_split_(shape.m, shape.d),
      group_panels_(TilingFor(shape.d).group_panels),
      pair_(shape),
      tile_sizes_(shape, MaxPanels(x_split_, y_split_), gradient),
      x_tiles_{Buffer(tile_sizes_.x_rows), Buffer(tile_sizes_.x_coordinates)},
      y_tiles_{Buffer(tile_sizes_.y_rows), Buffer(tile_sizes_.y_coordinates)},
      x_norms_(static_cast<size_t>(PaddedRows(shape.n))),
      y_norms_(static_cast<size_t>(PaddedRows(shape.m))) {
  const int64_t block_panels = MaxPanels(x_split_, y_split_);
  for (int w = 0; w < pool.threads(); ++w) {
    scratch_.push_back({Buffer(group_panels_ * block_panels * kPanelRows * kPanelRows),
                        Buffer(group_panels_ * kPanelRows * kPanelRows),
                        Buffer(tile_sizes_.panel_tiles), Buffer(tile_sizes_.weight_tiles)});
  }
  if (gradient) {
    sums_ = Buffer(PaddedRows(shape.n) * shape.d);
    totals_.resize(static_cast<size_t>(PaddedRows(shape.n)));
  } else {
    const int64_t kx = x_split_.blocks();
    const int64_t ky = y_split_.blocks();
    between_.resize(static_cast<size_t>(kx * ky));
    within_x_.resize(static_cast<size_t>(kx * (kx + 1) / 2));
    within_y_.resize(static_cast<size_t>(ky * (ky + 1) / 2));
  }
}

int64_t ExactPass::Bytes(const ThreadPool& pool, ProblemShape shape, bool gradient) {
  const BlockSplit x(shape.n, shape.d);
  const BlockSplit y(shape.m, shape.d);
  const int64_t block_panels = MaxPanels(x, y);
  const int64_t group_panels = TilingFor(shape.d).group_panels;
  const TileSizes tiles(shape, block_panels, gradient);
  int64_t bytes = PackedPair::Bytes(shape) + (PaddedRows(shape.n) + PaddedRows(shape.m)) * 4;
  bytes += pool.threads() * (Buffer::Bytes(group_panels * block_panels * kPanelRows * kPanelRows) +
                             Buffer::Bytes(group_panels * kPanelRows * kPanelRows) +
                             Buffer::Bytes(tiles.panel_tiles) + Buffer::Bytes(tiles.weight_tiles));
  for (const int64_t floats :
       {tiles.x_rows, tiles.y_rows, tiles.x_coordinates, tiles.y_coordinates}) {
    bytes += Buffer::Bytes(floats);
  }
  if (gradient) {
    bytes += Buffer::Bytes(PaddedRows(shape.n) * shape.d) + PaddedRows(shape.n) * 8;
  } else {
    bytes += (x.blocks() * y.blocks() + x.blocks() * (x.blocks() + 1) / 2 +
              y.blocks() * (y.blocks() + 1) / 2) *
             8;
  }
  return bytes;
}

double ExactPass::TileSeconds(int64_t products) const {
  const auto rows_a = static_cast<double>(x_split_.max_panels() * kPanelRows);
  const auto rows_b =
      static_cast<double>(std::max(x_split_.max_panels(), y_split_.max_panels()) * kPanelRows);
  // A pair's root or power costs about as much as a product over 16 coordinates.
  return rows_a * rows_b * 2 * (static_cast<double>(products * shape_.d) + 16) / kFlopsPerSecond;
}

void ExactPass::PlanEnsembles(TilePlan& plan, MatrixView x, MatrixView y) {
  pair_.PlanScale(plan, x, y);
  pair_.PlanTarget(plan, y);
  pair_.PlanParticles(plan, x);
  const int64_t x_panels = PanelCount(shape_.n);
  const double seconds = CopySeconds(pair_.panel_floats());
  plan.AddPhase(x_panels + PanelCount(shape_.m), 4 * seconds, [=, this](int64_t tile, int worker) {
    const bool particles = tile < x_panels;
    const int64_t panel = particles ? tile : tile - x_panels;
    const float* from = particles ? pair_.x_panel(panel) : pair_.y_panel(panel);
    double norms[kPanelRows] = {};
    for (int64_t k = 0; k < shape_.d; ++k) {
      for (int64_t r = 0; r < kPanelRows; ++r) {
        const double v = from[k * kPanelRows + r];
        norms[r] += v * v;
      }
    }
    float* to = (particles ? x_norms_ : y_norms_).data() + panel * kPanelRows;
    for (int64_t r = 0; r < kPanelRows; ++r) to[r] = static_cast<float>(norms[r]);
    if (UsesMatrixUnit(shape_.d)) SplitPanelOf(particles, panel, worker);
  });
}

void ExactPass::SplitPanelOf(bool particles, int64_t panel, int worker) {
  const float* from = particles ? pair_.x_panel(panel) : pair_.y_panel(panel);
  Tiles& tiles = particles ? x_tiles_ : y_tiles_;
  Bfloat16* split = Numbers(scratch_[static_cast<size_t>(worker)].panel_tiles);
  const int64_t row_numbers = RowNumbers(DepthTiles(shape_.d));
  SplitPanel(from, kPanelRows, shape_.d, 1, split);
  RowTilesOfPanel(split, shape_.d, row_numbers, Numbers(tiles.rows) + panel * 2 * row_numbers);
  if (tiles.coordinates.size() == 0) return;
  const int64_t panels = PanelCount(particles ? shape_.n : shape_.m);
  SplitCoordinates(from, shape_.d, RowNumbers(panels),
                   Numbers(tiles.coordinates) + panel * kSplitPieces * kTileNumbers);
}

const float* ExactPass::PanelOf(const Side& side, int64_t panel) {
  return side.particles ? pair_.x_panel(panel) : pair_.y_panel(panel);
}

const float* ExactPass::NormsOf(const Side& side, int64_t panel) const {
  return (side.particles ? x_norms_ : y_norms_).data() + panel * kPanelRows;
}

void ExactPass::SplitGroup(const Side& a, int64_t group, int64_t panels, int worker) {
  if (!UsesMatrixUnit(shape_.d)) return;
  Bfloat16* split = Numbers(scratch_[static_cast<size_t>(worker)].panel_tiles);
  for (int64_t g = 0; g < panels; ++g) {
    SplitPanel(PanelOf(a, group + g), kPanelRows, shape_.d, 1,
               split + g * PanelTileNumbers(shape_.d));
  }
}

void ExactPass::MultiplyPairs(const Side& a, const Side& b, int64_t group, int64_t panels,
                              int worker) {
  WorkerScratch& scratch = scratch_[static_cast<size_t>(worker)];
  float* pairs = scratch.pairs.data();
  const int64_t b_panels = b.range.count();
  const int64_t stride = b_panels * kPanelRows * kPanelRows;
  if (!UsesMatrixUnit(shape_.d)) {
    // One panel of b stays in L2 while the group's panels pass over it.
    for (int64_t q = 0; q < b_panels; ++q) {
      for (int64_t g = 0; g < panels; ++g) {
        InnerProducts(PanelOf(a, group + g), PanelOf(b, b.range.first + q), 1, shape_.d,
                      pairs + g * stride + q * kPanelRows * kPanelRows);
      }
    }
    return;
  }
  TileProduct p;
  p.pieces = kSplitPieces;
  p.depth_tiles = DepthTiles(shape_.d);
  p.end_tile = p.depth_tiles;
  p.out_stride = kPanelRows;
  const int64_t panel_row_numbers = 2 * RowNumbers(p.depth_tiles);
  const int64_t slab = SlabPairs(p.depth_tiles);
  for (int64_t q = 0; q < b_panels; q += slab) {
    p.row_tiles = Numbers(TilesOf(b).rows) + (b.range.first + q) * panel_row_numbers;
    p.rows = std::min(slab, b_panels - q) * kPanelRows;
    for (int64_t g = 0; g < panels; ++g) {
      p.panel_tiles = Numbers(scratch.panel_tiles) + g * PanelTileNumbers(shape_.d);
      p.out = pairs + g * stride + q * kPanelRows * kPanelRows;
      MultiplyTiles(p);
    }
  }
}

PairTile ExactPass::PairsOf(const Side& a, const Side& b, int64_t panel, float* pairs) {
  const int64_t a_first = panel * kPanelRows;
  const int64_t b_first = b.range.first * kPanelRows;
  PairTile tile;
  tile.a = PanelOf(a, panel);
  tile.a_norms = NormsOf(a, panel);
  tile.a_rows = std::min(kPanelRows, RowsOf(a) - a_first);
  tile.b = PanelOf(b, b.range.first);
  tile.b_norms = NormsOf(b, b.range.first);
  tile.b_rows = std::min(b.range.count() * kPanelRows, RowsOf(b) - b_first);
  tile.dim = shape_.d;
  const bool same = a.particles == b.particles && panel >= b.range.first && panel < b.range.end;
  tile.same_offset = same ? a_first - b_first : -1;
  tile.pairs = pairs;
  return tile;
}

double ExactPass::SumPairsOf(const Side& a, const Side& b, int worker) {
  float* pairs = scratch_[static_cast<size_t>(worker)].pairs.data();
  double sums[kPanelRows] = {};
  for (int64_t group = a.range.first; group < a.range.end; group += group_panels_) {
    const int64_t panels = std::min(group_panels_, a.range.end - group);
    SplitGroup(a, group, panels, worker);
    // So few pairs at a time that they stay in L1.
    for (int64_t q = b.range.first; q < b.range.end; q += kSumPanels) {
      const Side part{b.particles, {q, std::min(b.range.end, q + kSumPanels)}};
      if (shape_.d > kMaxDirectDim) MultiplyPairs(a, part, group, panels, worker);
      const int64_t stride = part.range.count() * kPanelRows * kPanelRows;
      for (int64_t g = 0; g < panels; ++g) {
        SumPairs(PairsOf(a, part, group + g, pairs + g * stride), PairValue::kDistance, exponent_,
                 1, sums);
      }
    }
  }
  return std::accumulate(sums, sums + kPanelRows, 0.0);
}

void ExactPass::PlanDistances(TilePlan& plan) {
  const int64_t ky = y_split_.blocks();
  plan.AddPhase(x_split_.blocks() * ky, TileSeconds(1), [=, this](int64_t tile, int worker) {
    between_[static_cast<size_t>(tile)] =
        SumPairsOf({true, x_split_.block(tile / ky)}, {false, y_split_.block(tile % ky)}, worker);
  });
  PlanSumsWithin(plan, true, within_x_);
  PlanSumsWithin(plan, false, within_y_);
}

void ExactPass::PlanSumsWithin(TilePlan& plan, bool particles, std::vector<double>& sums) {
  const BlockSplit& split = particles ? x_split_ : y_split_;
  const int64_t blocks = split.blocks();
  plan.AddPhase(blocks + blocks * (blocks - 1) / 2, TileSeconds(1),
                [=, this, &split, &sums](int64_t tile, int worker) {
                  const auto [i, j] =
                      tile < blocks ? std::pair(tile, tile) : PairAt(blocks, tile - blocks);
                  const double sum =
                      SumPairsOf({particles, split.block(i)}, {particles, split.block(j)}, worker);
                  sums[static_cast<size_t>(tile)] = i == j ? sum : 2 * sum;
                });
}

void ExactPass::AddWeighted(int64_t panel, int64_t panels, const Side& b, const float* weights,
                            int64_t stride, int worker) {
  const int64_t count = b.range.count();
  float* sums = sums_.data() + panel * pair_.panel_floats();
  if (!UsesMatrixUnit(shape_.d)) {
    for (int64_t g = 0; g < panels; ++g) {
      WeightedSums(weights + g * stride, PanelOf(b, b.range.first), count, shape_.d,
                   sums + g * pair_.panel_floats());
    }
    return;
  }
  Bfloat16* split = Numbers(scratch_[static_cast<size_t>(worker)].weight_tiles);
  const int64_t panel_numbers = PanelTileNumbers(count * kPanelRows);
  for (int64_t g = 0; g < panels; ++g) {
    SplitPanel(weights + g * stride, kPanelRows, count * kPanelRows, 1, split + g * panel_numbers);
  }
  const int64_t row_numbers = RowNumbers(PanelCount(RowsOf(b)));
  TileProduct p;
  p.pieces = kSplitPieces;
  p.depth_tiles = PanelCount(RowsOf(b));
  p.end_tile = count;
  p.out_stride = kPanelRows;
  p.accumulate = true;
  const int64_t slab = SlabPairs(count) * 2 * kTileSide;
  for (int64_t k = 0; k < shape_.d; k += slab) {
    p.row_tiles = Numbers(TilesOf(b).coordinates) + k / kTileSide * row_numbers +
                  b.range.first * kSplitPieces * kTileNumbers;
    p.rows = std::min(slab, shape_.d - k);
    for (int64_t g = 0; g < panels; ++g) {
      p.panel_tiles = split + g * panel_numbers;
      p.out = sums + g * pair_.panel_floats() + k * kPanelRows;
      MultiplyTiles(p);
    }
  }
}

void ExactPass::WeighPairs(const Side& a, const Side& b, bool both, float scale, int worker) {
  WorkerScratch& scratch = scratch_[static_cast<size_t>(worker)];
  float* pairs = scratch.pairs.data();
  const int64_t b_panels = b.range.count();
  const int64_t stride = b_panels * kPanelRows * kPanelRows;
  for (int64_t group = a.range.first; group < a.range.end; group += group_panels_) {
    const int64_t panels = std::min(group_panels_, a.range.end - group);
    if (shape_.d > kMaxDirectDim) {
      SplitGroup(a, group, panels, worker);
      MultiplyPairs(a, b, group, panels, worker);
    }
    for (int64_t g = 0; g < panels; ++g) {
      EvaluatePairs(PairsOf(a, b, group + g, pairs + g * stride), PairValue::kWeight, exponent_,
                    scale, totals_.data() + (group + g) * kPanelRows);
    }
    AddWeighted(group, panels, b, pairs, stride, worker);
    if (!both) continue;
    for (int64_t q = 0; q < b_panels; ++q) {
      const int64_t panel = b.range.first + q;
      for (int64_t g = 0; g < panels; ++g) {
        TransposeBlock(pairs + g * stride + q * kPanelRows * kPanelRows,
                       scratch.transposed.data() + g * kPanelRows * kPanelRows);
      }
      AddRows(scratch.transposed.data(), panels * kPanelRows, totals_.data() + panel * kPanelRows);
      AddWeighted(panel, 1, {a.particles, {group, group + panels}}, scratch.transposed.data(), 0,
                  worker);
    }
  }
}

void ExactPass::PlanWeights(TilePlan& plan) {
  const int64_t panel_floats = pair_.panel_floats();
  plan.AddPhase(PanelCount(shape_.n), CopySeconds(panel_floats), [=, this](int64_t panel, int) {
    std::fill_n(sums_.data() + panel * panel_floats, panel_floats, 0.0f);
    std::fill_n(totals_.data() + panel * kPanelRows, kPanelRows, 0.0);
  });
  const int64_t kx = x_split_.blocks();
  const auto target_scale = static_cast<float>(-1.0 / static_cast<double>(shape_.m));
  for (int64_t j = 0; j < y_split_.blocks(); ++j) {
    plan.AddPhase(kx, TileSeconds(2), [=, this](int64_t i, int worker) {
      WeighPairs({true, x_split_.block(i)}, {false, y_split_.block(j)}, false, target_scale,
                 worker);
    });
  }
  const auto particle_scale = static_cast<float>(1.0 / static_cast<double>(shape_.n));
  plan.AddPhase(kx, TileSeconds(2), [=, this](int64_t i, int worker) {
    WeighPairs({true, x_split_.block(i)}, {true, x_split_.block(i)}, false, particle_scale, worker);
  });
  const int64_t players = kx + kx % 2;
  for (int64_t round = 0; round + 1 < players; ++round) {
    plan.AddPhase(players / 2, TileSeconds(3), [=, this](int64_t game, int worker) {
      const auto [i, j] = Game(players, round, game);
      if (std::max(i, j) >= kx) return;  // with an odd number one block rests
      WeighPairs({true, x_split_.block(i)}, {true, x_split_.block(j)}, true, particle_scale,
                 worker);
    });
  }
}

double ExactPass::Unscale(double power) const {
  return std::pow(static_cast<double>(pair_.scale()), -power);
}

double ExactPass::SumBetween() const {
  return std::accumulate(between_.begin(), between_.end(), 0.0) * Unscale(exponent_);
}
double ExactPass::SumWithinX() const {
  return std::accumulate(within_x_.begin(), within_x_.end(), 0.0) * Unscale(exponent_);
}
double ExactPass::SumWithinY() const {
  return std::accumulate(within_y_.begin(), within_y_.end(), 0.0) * Unscale(exponent_);
}

}  // namespace riesz::cpu
