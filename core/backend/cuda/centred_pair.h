// Both ensembles in one matrix on the device, minus a centre of the target: what every operation
// starts from.
//
// Why centred, and why by a median: core/README.md, and one outlier of 1e10 would drag a mean so
// far that all other particles shared a few float32 values. Why in one matrix: one product projects
// both, so that equal rows of x and y go through the same kernel and come out equal.
//
// Thread safety: none; it belongs to its operation.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "core/backend/backend.h"
#include "core/backend/cuda/device.h"
#include "core/backend/cuda/launch_plan.h"

namespace riesz::cuda {

class CentredPair {
 public:
  static absl::StatusOr<CentredPair> Make(Device& device, ProblemShape shape);
  static int64_t Bytes(ProblemShape shape);

  // Plans to find a power of two that brings the largest coordinate of both near 1, so that squares
  // of float32 data neither overflow nor vanish. Without it the scale is 1. x (n, d) and y (m, d)
  // on the device must outlive the plan; `this` must stay where it is.
  void PlanScale(LaunchPlan& plan, const float* x, const float* y);
  // Plans to find the centre and to fill the target's rows; then to fill the particles' rows.
  // `x` is asked when the plan runs: a flow's particles move.
  void PlanTarget(LaunchPlan& plan, const float* y);
  void PlanParticles(LaunchPlan& plan, std::function<const float*()> x);

  const float* points() const { return points_.data(); }  // (n + m, d), x first
  float* points() { return points_.data(); }
  const float* x() const { return points_.data(); }
  const float* y() const { return points_.data() + shape_.n * shape_.d; }
  float scale() const { return scale_; }

 private:
  Device* device_ = nullptr;
  ProblemShape shape_;
  DeviceArray<float> points_;
  DeviceArray<float> centre_;   // (d)
  DeviceArray<unsigned> most_;  // (1) bits of the largest |coordinate|
  PinnedArray<unsigned> most_host_;
  float scale_ = 1;
};

}  // namespace riesz::cuda
