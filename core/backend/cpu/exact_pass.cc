#include "core/backend/cpu/exact_pass.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/backend/cpu/product.h"

namespace riesz::cpu {

namespace {

// Panels whose pairs with a block are worked on together: 4 panels of d = 784 and one of the others
// are 0.5 MB, their pairs with a block 0.2 MB, which leaves L2 some air.
constexpr int64_t kGroupPanels = 4;
// Three products over one tile of two blocks, about 12 ms.
constexpr double kTileFlops = 1e9;
constexpr int64_t kMaxBlockRows = 512;
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

}  // namespace

BlockSplit::BlockSplit(int64_t count, int64_t dim) : panels_(PanelCount(count)) {
  const double fitting = std::sqrt(kTileFlops / (6.0 * static_cast<double>(dim)));
  const int64_t rows =
      std::clamp<int64_t>(static_cast<int64_t>(fitting), kPanelRows, kMaxBlockRows);
  const int64_t wanted = (count + rows - 1) / rows;
  const int64_t rounded = (wanted + kBlockMultiple - 1) / kBlockMultiple * kBlockMultiple;
  blocks_ = std::min(panels_, rounded);
}

ExactPass::ExactPass(ThreadPool& pool, ProblemShape shape, double exponent, bool gradient)
    : pool_(pool),
      shape_(shape),
      exponent_(exponent),
      x_split_(shape.n, shape.d),
      y_split_(shape.m, shape.d),
      pair_(shape),
      x_norms_(static_cast<size_t>(PaddedRows(shape.n))),
      y_norms_(static_cast<size_t>(PaddedRows(shape.m))) {
  const int64_t block_panels = std::max(x_split_.max_panels(), y_split_.max_panels());
  for (int w = 0; w < pool.threads(); ++w) {
    scratch_.push_back({Buffer(kGroupPanels * block_panels * kPanelRows * kPanelRows),
                        Buffer(kGroupPanels * kPanelRows * kPanelRows)});
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
  const int64_t block_panels = std::max(x.max_panels(), y.max_panels());
  int64_t bytes = PackedPair::Bytes(shape) + (PaddedRows(shape.n) + PaddedRows(shape.m)) * 4;
  bytes += pool.threads() * (Buffer::Bytes(kGroupPanels * block_panels * kPanelRows * kPanelRows) +
                             Buffer::Bytes(kGroupPanels * kPanelRows * kPanelRows));
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
  plan.AddPhase(x_panels + PanelCount(shape_.m), seconds, [=, this](int64_t tile, int) {
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
  });
}

const float* ExactPass::PanelOf(const Side& side, int64_t panel) {
  return side.particles ? pair_.x_panel(panel) : pair_.y_panel(panel);
}

const float* ExactPass::NormsOf(const Side& side, int64_t panel) const {
  return (side.particles ? x_norms_ : y_norms_).data() + panel * kPanelRows;
}

void ExactPass::ComputePairs(const Side& a, const Side& b, int64_t group, int64_t panels,
                             PairValue value, float scale, float* pairs) {
  const int64_t b_panels = b.range.count();
  const int64_t stride = b_panels * kPanelRows * kPanelRows;
  if (shape_.d > kMaxDirectDim) {
    // One panel of b stays in L2 while the group's panels pass over it.
    for (int64_t q = 0; q < b_panels; ++q) {
      for (int64_t g = 0; g < panels; ++g) {
        InnerProducts(PanelOf(a, group + g), PanelOf(b, b.range.first + q), 1, shape_.d,
                      pairs + g * stride + q * kPanelRows * kPanelRows);
      }
    }
  }
  const int64_t b_first = b.range.first * kPanelRows;
  for (int64_t g = 0; g < panels; ++g) {
    const int64_t a_first = (group + g) * kPanelRows;
    PairTile tile;
    tile.a = PanelOf(a, group + g);
    tile.a_norms = NormsOf(a, group + g);
    tile.a_rows = std::min(kPanelRows, RowsOf(a) - a_first);
    tile.b = PanelOf(b, b.range.first);
    tile.b_norms = NormsOf(b, b.range.first);
    tile.b_rows = std::min(b_panels * kPanelRows, RowsOf(b) - b_first);
    tile.dim = shape_.d;
    const bool same = a.particles == b.particles && a.range.first == b.range.first;
    tile.same_offset = same ? a_first - b_first : -1;
    tile.pairs = pairs + g * stride;
    EvaluatePairs(tile, value, exponent_, scale);
  }
}

double ExactPass::SumPairs(const Side& a, const Side& b, int worker) {
  float* pairs = scratch_[static_cast<size_t>(worker)].pairs.data();
  const int64_t rows = b.range.count() * kPanelRows;
  double sums[kPanelRows] = {};
  for (int64_t group = a.range.first; group < a.range.end; group += kGroupPanels) {
    const int64_t panels = std::min(kGroupPanels, a.range.end - group);
    ComputePairs(a, b, group, panels, PairValue::kDistance, 1, pairs);
    for (int64_t g = 0; g < panels; ++g) AddRows(pairs + g * rows * kPanelRows, rows, sums);
  }
  return std::accumulate(sums, sums + kPanelRows, 0.0);
}

void ExactPass::PlanDistances(TilePlan& plan) {
  const int64_t ky = y_split_.blocks();
  plan.AddPhase(x_split_.blocks() * ky, TileSeconds(1), [=, this](int64_t tile, int worker) {
    between_[static_cast<size_t>(tile)] =
        SumPairs({true, x_split_.block(tile / ky)}, {false, y_split_.block(tile % ky)}, worker);
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
                      SumPairs({particles, split.block(i)}, {particles, split.block(j)}, worker);
                  sums[static_cast<size_t>(tile)] = i == j ? sum : 2 * sum;
                });
}

void ExactPass::WeighPairs(const Side& a, const Side& b, bool both, float scale, int worker) {
  WorkerScratch& scratch = scratch_[static_cast<size_t>(worker)];
  float* pairs = scratch.pairs.data();
  const int64_t b_panels = b.range.count();
  const int64_t stride = b_panels * kPanelRows * kPanelRows;
  const int64_t panel_floats = pair_.panel_floats();
  for (int64_t group = a.range.first; group < a.range.end; group += kGroupPanels) {
    const int64_t panels = std::min(kGroupPanels, a.range.end - group);
    ComputePairs(a, b, group, panels, PairValue::kWeight, scale, pairs);
    for (int64_t g = 0; g < panels; ++g) {
      const int64_t panel = group + g;
      AddRows(pairs + g * stride, b_panels * kPanelRows, totals_.data() + panel * kPanelRows);
      WeightedSums(pairs + g * stride, PanelOf(b, b.range.first), b_panels, shape_.d,
                   sums_.data() + panel * panel_floats);
    }
    if (!both) continue;
    for (int64_t q = 0; q < b_panels; ++q) {
      const int64_t panel = b.range.first + q;
      for (int64_t g = 0; g < panels; ++g) {
        TransposeBlock(pairs + g * stride + q * kPanelRows * kPanelRows,
                       scratch.transposed.data() + g * kPanelRows * kPanelRows);
      }
      AddRows(scratch.transposed.data(), panels * kPanelRows, totals_.data() + panel * kPanelRows);
      WeightedSums(scratch.transposed.data(), PanelOf(a, group), panels, shape_.d,
                   sums_.data() + panel * panel_floats);
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
