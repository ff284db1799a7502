// All pairs of a problem in tiles, for any 0 < r < 2: what exact values and gradients share.
//
// Values: tiles of 64 x 64 pairs (kernels/pairs.h), summed in double into a fixed number of partial
// sums. Gradients: for a group of particles and a group of partners the weights |t|^(r-2) of all
// their pairs, then sum_j weight_ij (x_i - z_j); groups are as large as a chunk's time and 64 MB
// of weights allow. Never a matrix of all pairs.
//
// Thread safety: none; a pass belongs to its operation and must stay where it is.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "core/backend/backend.h"
#include "core/backend/cuda/centred_pair.h"
#include "core/backend/cuda/device.h"
#include "core/backend/cuda/kernels/pairs.h"
#include "core/backend/cuda/launch_plan.h"

namespace riesz::cuda {

class ExactPass {
 public:
  // RESOURCE_EXHAUSTED.
  static absl::StatusOr<std::unique_ptr<ExactPass>> Make(Device& device, ProblemShape shape,
                                                         double exponent, bool gradient);
  static int64_t Bytes(const DeviceFacts& facts, ProblemShape shape, bool gradient);
  static double Seconds(const DeviceSpeed& speed, ProblemShape shape, bool gradient);

  // Plans to centre and scale x (n, d) and y (m, d) on the device.
  void PlanEnsembles(LaunchPlan& plan, const float* x, const float* y);
  // Plans the sums of |.|^r over pairs.
  void PlanDistances(LaunchPlan& plan);
  // Plans sums (n, d) <- n g_i in scaled units.
  void PlanVelocities(LaunchPlan& plan);

  // After PlanDistances ran: sums over all ordered pairs, in the caller's units.
  double SumBetween() const { return SumOf(0); }
  double SumWithinX() const { return SumOf(1); }
  double SumWithinY() const { return SumOf(2); }

  DeviceArray<float>& sums() { return sums_; }
  // The factor that takes what has the dimension of |x|^power back to the caller's units.
  double Unscale(double power) const;

 private:
  ExactPass(Device& device, ProblemShape shape, double exponent);
  // Particles and partners of a group of weights, multiples of kPairTile.
  static int64_t GroupRows(const DeviceSpeed& speed, ProblemShape shape);
  absl::Status Allocate(bool gradient);
  void PlanSums(LaunchPlan& plan, Rows a, Rows b, bool same, double* sums);
  void PlanWeighted(LaunchPlan& plan, Rows z, double scale);
  double SumOf(int64_t which) const;

  Device& device_;
  const ProblemShape shape_;
  const double exponent_;
  const int64_t group_;
  CentredPair pair_;
  DeviceArray<double> pair_sums_;       // (3, kPairSlots): between, within x, within y
  PinnedArray<double> pair_sums_host_;  // the same
  DeviceArray<float> weights_;          // (group, group)
  DeviceArray<float> sums_;             // (n, d)
};

}  // namespace riesz::cuda
