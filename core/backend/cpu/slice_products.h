// The two products of a chunk of slices: projections of particles onto directions, and velocities
// carried back along them.
//
// Two implementations: `StripProducts` runs on vector registers in float32 and on any processor;
// `TiledProducts` on the matrix unit (matrix_unit.h), where there is one and the directions are
// bfloat16 numbers.
//
// Thread safety: Pack calls for different tiles, and afterwards Project and Load and CarryBack
// calls of different workers, may run at once.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/backend/cpu/matrix_unit.h"
#include "core/backend/cpu/panels.h"
#include "core/directions.h"

namespace riesz::cpu {

// Panels of one tile: enough that a strip of directions is read from L1 for all of them, few enough
// that theirs stay in L2.
inline constexpr int64_t kTilePanels = 8;

// What a pass needs of its products, for allocation.
struct SliceProductsShape {
  int64_t dim = 0;
  int64_t max_slices = 0;  // of a chunk
  int64_t max_runs = 0;    // of a chunk
  int workers = 0;
  bool back = false;  // velocities are carried back too
};

class SliceProducts {
 public:
  // Allocates; throws std::bad_alloc.
  static std::unique_ptr<SliceProducts> Make(const SliceProductsShape& shape);
  // What Make allocates.
  static int64_t Bytes(const SliceProductsShape& shape);
  virtual ~SliceProducts() = default;

  // Begins a chunk of `count` slices along `directions` (count, dim). They fall into runs, slices
  // [first, first + count) each, in order and without gaps, that velocities are carried back along
  // one at a time. `directions` must outlive the chunk.
  void Begin(const float* directions, std::span<const DirectionBlock> runs);
  // The directions are ready after Pack(0) .. Pack(pack_tiles - 1).
  virtual int64_t pack_tiles(int64_t count) const = 0;
  virtual void Pack(int64_t tile) = 0;

  // Chooses the power of two that projections are multiplied by, given the largest magnitude among
  // particles and targets, and returns it. Ranks do not notice; values have to be divided by it.
  virtual float ChooseScale(float /*largest*/) { return 1; }

  // out[s * out_stride + 32 q + r] = scale * <direction s, particle r of panel q>, for slices first
  // <= s < end of the chunk and panels q < panel_count <= kTilePanels. `panels` as panels.h
  // describes; `first` is a multiple of kSliceStep.
  static constexpr int64_t kSliceStep = 96;  // strips of 12 and pairs of row tiles both divide it
  virtual void Project(const float* panels, int64_t panel_count, int64_t first, int64_t end,
                       float* out, int64_t out_stride, int worker) = 0;

  // Takes velocities of `panel_count` <= kTilePanels panels, h of slice s and particle (q, r) at
  // velocities[s * stride + 32 q + r], for the worker's following calls of CarryBack.
  virtual void Load(const float* velocities, int64_t stride, int64_t panel_count, int worker) = 0;
  // sums[q][k][r] (+)= sum over the run's slices of h xi_k, for `panels` of the loaded panels from
  // `panel` on. sums (panels, dim, 32).
  virtual void CarryBack(int64_t panel, int64_t panels, int64_t run, float* sums, bool accumulate,
                         int worker) = 0;

 protected:
  const float* directions_ = nullptr;
  std::span<const DirectionBlock> runs_;
  int64_t count_ = 0;  // slices of the chunk
};

class StripProducts final : public SliceProducts {
 public:
  explicit StripProducts(const SliceProductsShape& shape);
  static int64_t Bytes(const SliceProductsShape& shape);

  int64_t pack_tiles(int64_t count) const override;
  void Pack(int64_t tile) override;
  void Project(const float* panels, int64_t panel_count, int64_t first, int64_t end, float* out,
               int64_t out_stride, int worker) override;
  void Load(const float* velocities, int64_t stride, int64_t panel_count, int worker) override;
  void CarryBack(int64_t panel, int64_t panels, int64_t run, float* sums, bool accumulate,
                 int worker) override;

 private:
  const int64_t dim_;
  const bool back_;
  Buffer direction_strips_, coordinate_strips_;
  std::vector<Buffer> velocity_panels_;  // per worker, (panels, slices, 32)
};

class TiledProducts final : public SliceProducts {
 public:
  // Below, a pair of row tiles would be mostly padding; and directions are not bfloat16 numbers.
  static bool Serves(int64_t dim) { return dim >= kRoundedDim && MatrixUnitAvailable(); }

  explicit TiledProducts(const SliceProductsShape& shape);
  static int64_t Bytes(const SliceProductsShape& shape);

  int64_t pack_tiles(int64_t count) const override;
  void Pack(int64_t tile) override;
  void Project(const float* panels, int64_t panel_count, int64_t first, int64_t end, float* out,
               int64_t out_stride, int worker) override;
  void Load(const float* velocities, int64_t stride, int64_t panel_count, int worker) override;
  void CarryBack(int64_t panel, int64_t panels, int64_t run, float* sums, bool accumulate,
                 int worker) override;
  float ChooseScale(float largest) override;

 private:
  // Depth tiles of the runs before `run`: every run begins with a tile of its own.
  int64_t FirstTile(int64_t run) const;

  const int64_t dim_;
  const bool back_;
  float scale_ = 1;
  const int64_t slice_tiles_;           // depth tiles of all runs of a chunk, at most
  Buffer direction_tiles_;              // rows are slices, depth the coordinates
  Buffer coordinate_tiles_;             // rows are coordinates, depth the slices
  std::vector<Buffer> particle_tiles_;  // per worker, of one panel
  std::vector<Buffer> velocity_tiles_;  // per worker, of kTilePanels panels
};

}  // namespace riesz::cpu
