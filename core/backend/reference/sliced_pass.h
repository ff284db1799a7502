// All slices of one problem, one after the other: what sliced values, gradients and flow steps
// share.
//
// Thread safety: none; a pass belongs to its operation. x and y must outlive it.
#pragma once

#include <optional>
#include <vector>

#include "core/backend/backend.h"
#include "core/directions.h"
#include "core/matrix.h"
#include "core/slicing_error.h"

namespace riesz::reference {

struct PassNeeds {
  bool values = false;
  bool gradient = false;
};

class SlicedPass {
 public:
  // The gradient's `frozen` coordinates are 0, and count for nothing in speed and error.
  SlicedPass(MatrixView x, MatrixView y, double exponent, const DirectionSpec& spec,
             PassNeeds needs, const std::vector<CoordinateRange>& frozen = {});
  static int64_t Bytes(ProblemShape shape, const DirectionSpec& spec, PassNeeds needs);

  int64_t slices() const { return SliceCount(spec_, x_.cols); }
  // Starts over, with the directions of `step`.
  void Begin(int64_t step);
  // Slices in order, 0 .. slices() - 1.
  void RunSlice(int64_t slice);

  // After the last slice. Mean over slices times c_{d,r}: the energy distance.
  SliceMean EnergyDistance(Estimator estimator) const;
  // n g_i = (c / P) sum_p h_ip xi_p, (n, d) row-major.
  const std::vector<double>& velocity() const { return sums_; }
  // Root mean square over particles of n g_i, and of its slicing error.
  SliceMean RmsVelocity() const;

 private:
  void AddToGradient(const float* direction, const std::vector<double>& h);
  void EndBlock(int64_t block_slices);
  void Finish();

  const MatrixView x_, y_;
  const double exponent_;
  const DirectionSpec spec_;
  const PassNeeds needs_;
  std::vector<bool> moves_;  // (d)
  int64_t step_ = 0;
  int64_t block_index_ = 0;
  DirectionBlock block_;
  DirectionScratch direction_scratch_;
  Matrix directions_;               // of the current block
  std::vector<double> v_values_;    // (slices) V-statistic
  std::vector<double> u_values_;    // (slices) U-statistic, where it exists
  std::vector<double> block_sums_;  // (n, d) sum over the current independent block of h xi
  std::vector<double> sums_;        // (n, d) the same over all
  double block_squares_ = 0;        // sum over blocks and particles of |block sum|^2 / block size
  double total_square_ = 0;         // sum over particles of |sum|^2
};

}  // namespace riesz::reference
