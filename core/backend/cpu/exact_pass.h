// All pairs of a problem in tiles, for any 0 < r < 2: the part that exact values and gradients
// share.
//
// Never a matrix of all pairs: a tile's inner products become distances or weights in L2 and are
// summed or multiplied on at once. Pairs within one ensemble are computed once and used for both
// sides. To keep every particle's sum in a fixed order without locks, the pairs of particle blocks
// run in the rounds of a round-robin tournament: in a round every block plays once, so no two tiles
// share one.
//
// Thread safety: none; a pass belongs to its operation. Its tiles run on several threads.
#pragma once

#include <cstdint>
#include <vector>

#include "core/backend/backend.h"
#include "core/backend/cpu/matrix_unit.h"
#include "core/backend/cpu/packed_pair.h"
#include "core/backend/cpu/pair_kernels.h"
#include "core/backend/cpu/panels.h"
#include "core/backend/cpu/tile_plan.h"

namespace riesz::cpu {

// Whether pairs in this dimension are multiplied on the matrix unit.
inline bool UsesMatrixUnit(int64_t dim) { return dim > kMaxDirectDim && MatrixUnitAvailable(); }

// Panels [first, end) of an ensemble.
struct PanelRange {
  int64_t first = 0;
  int64_t end = 0;
  int64_t count() const { return end - first; }
};

// How an ensemble's panels fall into blocks of nearly equal size; depends on count and dim only.
class BlockSplit {
 public:
  BlockSplit(int64_t count, int64_t dim);
  int64_t blocks() const { return blocks_; }
  int64_t max_panels() const { return (panels_ + blocks_ - 1) / blocks_; }
  PanelRange block(int64_t b) const { return {b * panels_ / blocks_, (b + 1) * panels_ / blocks_}; }

 private:
  int64_t panels_;
  int64_t blocks_;
};

class ExactPass {
 public:
  // Allocates; throws std::bad_alloc.
  ExactPass(ThreadPool& pool, ProblemShape shape, double exponent, bool gradient);
  static int64_t Bytes(const ThreadPool& pool, ProblemShape shape, bool gradient);

  // Plans to pack and to find norms.
  void PlanEnsembles(TilePlan& plan, MatrixView x, MatrixView y);
  // Plans the sums of |.|^r over pairs.
  void PlanDistances(TilePlan& plan);
  // Plans, for every particle, sum_j u_ij z_j and sum_j u_ij, where u = |x_i - z_j|^(r - 2) times
  // -1/m for targets z and +1/n for particles z.
  void PlanWeights(TilePlan& plan);

  // After PlanDistances ran: sums over all ordered pairs.
  double SumBetween() const;
  double SumWithinX() const;
  double SumWithinY() const;

  // After PlanWeights ran.
  const float* weighted_sums(int64_t panel) const {
    return sums_.data() + panel * shape_.d * kPanelRows;
  }
  const double* weight_totals(int64_t panel) const { return totals_.data() + panel * kPanelRows; }
  const float* x_panel(int64_t panel) { return pair_.x_panel(panel); }
  // The factor that takes what has the dimension of |x|^power back to the caller's units: panels
  // and what PlanWeights yields are in units that bring the data near 1.
  double Unscale(double power) const;

 private:
  // One side of a tile.
  struct Side {
    bool particles = true;  // x; else y
    PanelRange range;
  };
  struct WorkerScratch {
    Buffer pairs;         // (group panels, panels of a block * 32, 32)
    Buffer transposed;    // (group panels * 32, 32)
    Buffer panel_tiles;   // group panels, split
    Buffer weight_tiles;  // pairs of group panels with a block, split
  };
  // An ensemble split as left operand of products on the matrix unit.
  struct Tiles {
    Buffer rows;         // (padded rows / 16, DepthTiles(d)) tiles of particles
    Buffer coordinates;  // (RowTiles(d), panels) tiles of coordinates
  };
  // Sizes in floats, 0 where there is no matrix unit or differences serve.
  struct TileSizes {
    TileSizes(ProblemShape shape, int64_t block_panels, bool gradient);
    int64_t x_rows = 0, y_rows = 0, x_coordinates = 0, y_coordinates = 0;
    int64_t panel_tiles = 0, weight_tiles = 0;
  };

  const float* PanelOf(const Side& side, int64_t panel);
  const float* NormsOf(const Side& side, int64_t panel) const;
  int64_t RowsOf(const Side& side) const { return side.particles ? shape_.n : shape_.m; }
  Tiles& TilesOf(const Side& side) { return side.particles ? x_tiles_ : y_tiles_; }
  void SplitPanelOf(bool particles, int64_t panel, int worker);
  // Splits panels [group, group + panels) of a for the next products, where they need it.
  void SplitGroup(const Side& a, int64_t group, int64_t panels, int worker);
  // Fills scratch pairs with inner products of the group's panels and all of b, (panels, b panels *
  // 32, 32).
  void MultiplyPairs(const Side& a, const Side& b, int64_t group, int64_t panels, int worker);
  PairTile PairsOf(const Side& a, const Side& b, int64_t panel, float* pairs);
  // The sums of particles' panels [panel, panel + panels) += weights times b. weights + g * stride
  // is (b panels * 32, 32).
  void AddWeighted(int64_t panel, int64_t panels, const Side& b, const float* weights,
                   int64_t stride, int worker);
  double SumPairsOf(const Side& a, const Side& b, int worker);
  void WeighPairs(const Side& a, const Side& b, bool both, float scale, int worker);
  void PlanSumsWithin(TilePlan& plan, bool particles, std::vector<double>& sums);
  double TileSeconds(int64_t products) const;

  ThreadPool& pool_;
  const ProblemShape shape_;
  const double exponent_;
  const BlockSplit x_split_;
  const BlockSplit y_split_;
  const int64_t group_panels_;
  PackedPair pair_;
  const TileSizes tile_sizes_;
  Tiles x_tiles_, y_tiles_;
  std::vector<float> x_norms_, y_norms_;  // padded rows, 0 beyond
  std::vector<WorkerScratch> scratch_;
  Buffer sums_;                                        // panels (n, d)
  std::vector<double> totals_;                         // padded n
  std::vector<double> between_, within_x_, within_y_;  // a tile each, ordered pairs
};

}  // namespace riesz::cpu
