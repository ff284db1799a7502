// Products of slices on the matrix unit.
#include <algorithm>
#include <cmath>

#include "core/backend/cpu/slice_products.h"
#include "core/backend/cpu/split.h"

namespace riesz::cpu {

namespace {

// Buffers count floats.
int64_t Floats(int64_t numbers) { return numbers / 2; }

Bfloat16* Numbers(Buffer& buffer) { return reinterpret_cast<Bfloat16*>(buffer.data()); }

int64_t DirectionNumbers(const SliceProductsShape& shape) {
  return RowTiles(shape.max_slices) * DepthTiles(shape.dim) * kTileNumbers;
}

// A chunk's runs are padded to whole tiles each.
int64_t SliceTiles(const SliceProductsShape& shape) {
  return DepthTiles(shape.max_slices) + shape.max_runs;
}

int64_t CoordinateNumbers(const SliceProductsShape& shape) {
  return RowTiles(shape.dim) * SliceTiles(shape) * kTileNumbers;
}

int64_t VelocityNumbers(const SliceProductsShape& shape) {
  return kTilePanels * PanelTileNumbers(SliceTiles(shape) * kTileDepth);
}

}  // namespace

TiledProducts::TiledProducts(const SliceProductsShape& shape)
    : dim_(shape.dim),
      back_(shape.back),
      slice_tiles_(SliceTiles(shape)),
      direction_tiles_(Floats(DirectionNumbers(shape))) {
  for (int w = 0; w < shape.workers; ++w) {
    particle_tiles_.emplace_back(Floats(PanelTileNumbers(dim_)));
  }
  if (!back_) return;
  coordinate_tiles_ = Buffer(Floats(CoordinateNumbers(shape)));
  for (int w = 0; w < shape.workers; ++w) {
    velocity_tiles_.emplace_back(Floats(VelocityNumbers(shape)));
  }
}

int64_t TiledProducts::Bytes(const SliceProductsShape& shape) {
  int64_t bytes = Buffer::Bytes(Floats(DirectionNumbers(shape)));
  bytes += shape.workers * Buffer::Bytes(Floats(PanelTileNumbers(shape.dim)));
  if (shape.back) {
    bytes += Buffer::Bytes(Floats(CoordinateNumbers(shape)));
    bytes += shape.workers * Buffer::Bytes(Floats(VelocityNumbers(shape)));
  }
  return bytes;
}

int64_t TiledProducts::FirstTile(int64_t run) const {
  int64_t tile = 0;
  for (int64_t r = 0; r < run; ++r) tile += DepthTiles(runs_[static_cast<size_t>(r)].count);
  return tile;
}

// Denormals are 0 to the unit, and what rounds up to infinity has no remainder.
float TiledProducts::ChooseScale(float largest) {
  const bool usable = largest > 0 && std::isfinite(largest);
  scale_ = usable ? std::ldexp(1.0f, std::min(-std::ilogb(largest), 126)) : 1.0f;
  return scale_;
}

int64_t TiledProducts::pack_tiles(int64_t count) const {
  return RowTiles(count) + (back_ ? RowTiles(dim_) : 0);
}

void TiledProducts::Pack(int64_t tile) {
  if (tile < RowTiles(count_)) {
    const int64_t first = tile * kTileSide;
    PackRowTiles(directions_ + first * dim_, dim_,
                 std::clamp<int64_t>(count_ - first, 0, kTileSide), dim_, 0,
                 Numbers(direction_tiles_) + tile * DepthTiles(dim_) * kTileNumbers);
    return;
  }
  const int64_t row = tile - RowTiles(count_);
  const int64_t first = row * kTileSide;
  const int64_t coordinates = std::clamp<int64_t>(dim_ - first, 0, kTileSide);
  Bfloat16* to = Numbers(coordinate_tiles_) + row * slice_tiles_ * kTileNumbers;
  int64_t first_tile = 0;
  for (const DirectionBlock& run : runs_) {
    PackColumnTiles(directions_ + run.first * dim_ + first, dim_, coordinates, run.count,
                    first_tile, to);
    first_tile += DepthTiles(run.count);
  }
}

void TiledProducts::Project(const float* panels, int64_t panel_count, int64_t first, int64_t end,
                            float* out, int64_t out_stride, int worker) {
  Bfloat16* tiles = Numbers(particle_tiles_[static_cast<size_t>(worker)]);
  TileProduct p;
  p.row_tiles = Numbers(direction_tiles_) + first / kTileSide * DepthTiles(dim_) * kTileNumbers;
  p.rows = end - first;
  p.depth_tiles = DepthTiles(dim_);
  p.panel_tiles = tiles;
  p.end_tile = p.depth_tiles;
  p.out_stride = out_stride;
  for (int64_t q = 0; q < panel_count; ++q) {
    SplitPanel(panels + q * dim_ * kPanelRows, kPanelRows, dim_, scale_, tiles);
    p.out = out + first * out_stride + q * kPanelRows;
    MultiplyTiles(p);
  }
}

void TiledProducts::Load(const float* velocities, int64_t stride, int64_t panel_count, int worker) {
  Bfloat16* tiles = Numbers(velocity_tiles_[static_cast<size_t>(worker)]);
  const int64_t panel_numbers = PanelTileNumbers(slice_tiles_ * kTileDepth);
  for (int64_t q = 0; q < panel_count; ++q) {
    Bfloat16* to = tiles + q * panel_numbers;
    for (const DirectionBlock& run : runs_) {
      SplitPanel(velocities + run.first * stride + q * kPanelRows, stride, run.count, 1, to);
      to += PanelTileNumbers(run.count);
    }
  }
}

void TiledProducts::CarryBack(int64_t panel, int64_t panels, int64_t run, float* sums,
                              bool accumulate, int worker) {
  TileProduct p;
  p.row_tiles = Numbers(coordinate_tiles_);
  p.rows = dim_;
  p.depth_tiles = slice_tiles_;
  p.first_tile = FirstTile(run);
  p.end_tile = p.first_tile + DepthTiles(runs_[static_cast<size_t>(run)].count);
  p.out_stride = kPanelRows;
  p.accumulate = accumulate;
  for (int64_t q = 0; q < panels; ++q) {
    p.panel_tiles = Numbers(velocity_tiles_[static_cast<size_t>(worker)]) +
                    (panel + q) * PanelTileNumbers(slice_tiles_ * kTileDepth);
    p.out = sums + q * dim_ * kPanelRows;
    MultiplyTiles(p);
  }
}

}  // namespace riesz::cpu
