// Two ensembles in panels, both minus a centre of the target: what every operation starts from.
//
// Why centred: ranks and distances do not notice, and float32 products of data far from the origin
// keep their digits. At an offset of 1000 in d = 784 a projection of raw data is as large as
// 28,000, where float32 is 2e-3 wide; of centred data it is of the order of the spread. Packing
// copies anyway. The centre is a median, not a mean: one outlier of 1e10 would drag a mean so far
// away that all other particles would share a few float32 values.
//
// Thread safety: none; it belongs to its operation. Its tiles run on several threads.
#pragma once

#include <cstdint>
#include <vector>

#include "core/backend/backend.h"
#include "core/backend/cpu/panels.h"
#include "core/backend/cpu/tile_plan.h"
#include "core/matrix.h"

namespace riesz::cpu {

class PackedPair {
 public:
  // Allocates; throws std::bad_alloc.
  explicit PackedPair(ProblemShape shape);
  static int64_t Bytes(ProblemShape shape);

  // Plans to choose a power of two that brings the largest coordinate of both near 1, before they
  // are packed: squares of float32 data neither overflow nor vanish then. Without it the scale
  // is 1.
  void PlanScale(TilePlan& plan, MatrixView x, MatrixView y);
  // Plans to find the centre and pack the target (m, d); then the particles (n, d). Both must
  // outlive the run of the plan.
  void PlanTarget(TilePlan& plan, MatrixView y);
  void PlanParticles(TilePlan& plan, MatrixView x);

  // Notes the largest magnitude in a panel of x that was written without PlanParticles.
  void MeasureParticles(int64_t q);
  // The largest magnitude in either ensemble as packed; infinite where centring overflowed.
  float largest() const;

  int64_t panel_floats() const { return shape_.d * kPanelRows; }
  float* x_panel(int64_t q) { return x_.data() + q * panel_floats(); }
  float* y_panel(int64_t q) { return y_.data() + q * panel_floats(); }
  Buffer& x() { return x_; }
  const float* centre() const { return centre_.data(); }  // (d)
  float scale() const { return scale_; }

 private:
  const ProblemShape shape_;
  std::vector<float> centre_;
  std::vector<float> partial_maxima_;         // (parts of x and y)
  std::vector<float> x_largest_, y_largest_;  // a panel each
  float scale_ = 1;
  Buffer x_, y_;
};

}  // namespace riesz::cpu
