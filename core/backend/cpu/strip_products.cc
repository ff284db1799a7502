// Products of slices in float32 on vector registers (product.h).
#include <algorithm>

#include "core/backend/cpu/product.h"
#include "core/backend/cpu/slice_products.h"

namespace riesz::cpu {

namespace {

// Longest run of products summed in one register tile: 392 * 12 floats of a strip fit in L1.
constexpr int64_t kMaxDepth = 392;

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Multiplies from p.first_depth to p.end_depth, in runs that suit the cache.
void MultiplyInRuns(StripProduct p) {
  const int64_t begin = p.first_depth, end = p.end_depth;
  const int64_t depth = CeilDiv(end - begin, CeilDiv(end - begin, kMaxDepth));
  for (int64_t k = begin; k < end; k += depth) {
    p.first_depth = k;
    p.end_depth = std::min(end, k + depth);
    Multiply(p);
    p.accumulate = true;
  }
}

}  // namespace

StripProducts::StripProducts(const SliceProductsShape& shape)
    : dim_(shape.dim),
      back_(shape.back),
      direction_strips_(PaddedColumns(shape.max_slices) * shape.dim) {
  if (!back_) return;
  coordinate_strips_ = Buffer(PaddedColumns(dim_) * shape.max_slices);
  for (int w = 0; w < shape.workers; ++w) {
    velocity_panels_.emplace_back(kTilePanels * shape.max_slices * kPanelRows);
  }
}

int64_t StripProducts::Bytes(const SliceProductsShape& shape) {
  int64_t bytes = Buffer::Bytes(PaddedColumns(shape.max_slices) * shape.dim);
  if (shape.back) {
    bytes += Buffer::Bytes(PaddedColumns(shape.dim) * shape.max_slices);
    bytes += shape.workers * Buffer::Bytes(kTilePanels * shape.max_slices * kPanelRows);
  }
  return bytes;
}

int64_t StripProducts::pack_tiles(int64_t count) const {
  return StripCount(count) + (back_ ? StripCount(dim_) : 0);
}

void StripProducts::Pack(int64_t tile) {
  const int64_t direction_strips = StripCount(count_);
  if (tile < direction_strips) {
    PackDirectionStrip(directions_, count_, dim_, tile, direction_strips_.data());
  } else {
    PackCoordinateStrip(directions_, count_, dim_, tile - direction_strips,
                        coordinate_strips_.data());
  }
}

void StripProducts::Project(const float* panels, int64_t panel_count, int64_t first, int64_t end,
                            float* out, int64_t out_stride, int /*worker*/) {
  StripProduct p;
  p.panels = panels;
  p.panel_count = panel_count;
  p.panel_stride = dim_ * kPanelRows;
  p.strips = direction_strips_.data();
  p.strip_depth = dim_;
  p.columns = count_;
  p.first_column = first;
  p.end_column = end;
  p.end_depth = dim_;
  p.out = out;
  p.out_panel_stride = kPanelRows;
  p.out_stride = out_stride;
  MultiplyInRuns(p);
}

void StripProducts::Load(const float* velocities, int64_t stride, int64_t panel_count, int worker) {
  float* panels = velocity_panels_[static_cast<size_t>(worker)].data();
  for (int64_t q = 0; q < panel_count; ++q) {
    float* to = panels + q * count_ * kPanelRows;
    for (int64_t s = 0; s < count_; ++s) {
      std::copy_n(velocities + s * stride + q * kPanelRows, kPanelRows, to + s * kPanelRows);
    }
  }
}

void StripProducts::CarryBack(int64_t panel, int64_t panels, int64_t run, float* sums,
                              bool accumulate, int worker) {
  const DirectionBlock& slices = runs_[static_cast<size_t>(run)];
  StripProduct p;
  p.panels = velocity_panels_[static_cast<size_t>(worker)].data() + panel * count_ * kPanelRows;
  p.panel_count = panels;
  p.panel_stride = count_ * kPanelRows;
  p.strips = coordinate_strips_.data();
  p.strip_depth = count_;
  p.columns = dim_;
  p.end_column = dim_;
  p.first_depth = slices.first;
  p.end_depth = slices.first + slices.count;
  p.out = sums;
  p.out_panel_stride = dim_ * kPanelRows;
  p.out_stride = kPanelRows;
  p.accumulate = accumulate;
  MultiplyInRuns(p);
}

}  // namespace riesz::cpu
