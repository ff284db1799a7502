// One pass over all slices of a problem: what sliced values, gradients and flow steps share.
//
// Per chunk of slices (slice_layout.h): directions (p, d); one product projects both ensembles,
// (p, n + m); a side is sorted, then the other is sorted and ranked against it (kernels/slices.h);
// one product takes the ranks back, (n, d) += h^T xi.
//
// The error of a gradient needs sum_k |S_k|^2 / b_k over blocks (core/slicing_error.h), S_ki =
// sum_p h_ip xi_p over the b_k slices of block k. Rows of an orthogonal block are orthonormal (to
// 3e-2 / sqrt(d) where they are rounded), so |S_ki|^2 is sum_p h_ip^2 to that accuracy, and no
// block's sum is ever formed; an iid slice is a block of its own, where it holds too.
//
// Thread safety: none; a pass belongs to its operation and must stay where it is.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "core/backend/backend.h"
#include "core/backend/cuda/centred_pair.h"
#include "core/backend/cuda/device.h"
#include "core/backend/cuda/direction_source.h"
#include "core/backend/cuda/launch_plan.h"
#include "core/backend/cuda/slice_layout.h"
#include "core/backend/cuda/slice_ranks.h"
#include "core/backend/matrix_precision.h"
#include "core/slicing_error.h"

namespace riesz::cuda {

// What an operation asks of a device beside its shape.
struct PassOptions {
  MatrixPrecision precision = MatrixPrecision::kFp32;
  int threads = 1;       // that make directions on the host
  bool ranks = false;    // sums() and block_squares() are wanted
  bool repeats = false;  // one pass after another, as in flows
};

class SlicedPass {
 public:
  // RESOURCE_EXHAUSTED.
  static absl::StatusOr<std::unique_ptr<SlicedPass>> Make(Device& device, ProblemShape shape,
                                                          const DirectionSpec& directions,
                                                          const PassOptions& options);
  static int64_t Bytes(const DeviceFacts& facts, ProblemShape shape,
                       const DirectionSpec& directions, const PassOptions& options);

  // Plans to centre the target y (m, d); then the particles x (n, d), asked for when the plan runs,
  // since a flow's move; then all slices. Both are on the device and outlive the plan. `step` and
  // `values` are read when slices run; values are wanted wherever ranks are not.
  void PlanTarget(LaunchPlan& plan, const float* y);
  void PlanParticles(LaunchPlan& plan, std::function<const float*()> x);
  void PlanSlices(LaunchPlan& plan, const int64_t* step, const bool* values);

  // After the plan ran. (n, d) on the device: sum over slices of h_i xi.
  DeviceArray<float>& sums() { return sums_; }
  // Mean over slices of the energy distance, times c, where values were wanted.
  SliceMean EnergyDistance(Estimator estimator) const;
  // sum over blocks and particles of |block sum|^2 / block size. Absent for low-discrepancy blocks,
  // whose rows are not orthonormal: this backend forms no sum of a block.
  std::optional<double> block_squares() const;
  int64_t slices() const { return layout_.slices; }

 private:
  struct Sizes;
  SlicedPass(Device& device, ProblemShape shape, const DirectionSpec& directions,
             const PassOptions& options);
  static Sizes SizesOf(ProblemShape shape, const SliceLayout& layout, const PassOptions& options);
  absl::Status Allocate();

  absl::Status Split(float* values, int64_t size, float* low);
  absl::Status Multiply(MatrixProduct product, const float* a_low, const float* b_low);
  void PlanSplit(LaunchPlan& plan, int64_t first_row, int64_t rows);
  absl::Status Project(const SliceChunk& chunk);
  absl::Status ProjectBack(const SliceChunk& chunk);

  Device& device_;
  const ProblemShape shape_;
  const DirectionSpec spec_;
  const PassOptions options_;
  const SliceLayout layout_;

  CentredPair pair_;
  std::unique_ptr<DirectionSource> source_;
  DeviceArray<float> projections_;                                    // (max_count, n + m)
  DeviceArray<float> sums_;                                           // (n, d)
  DeviceArray<float> points_low_, directions_low_, projections_low_;  // kTf32x3: the low halves
  std::unique_ptr<SliceRanks> slice_ranks_;
};

}  // namespace riesz::cuda
