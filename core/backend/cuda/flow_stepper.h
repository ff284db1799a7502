// One flow on the device: particles, velocity and all scratch stay there.
//
// A step turns the pass's sums into the new velocity in place and writes the new particles beside
// the old ones. Only when all are finite do the arrays change places: a step that yields, stops or
// fails leaves particles and velocity untouched.
//
// Thread safety: belongs to one thread at a time.
#pragma once

#include <memory>

#include "core/backend/backend.h"
#include "core/backend/cuda/cuda_ensemble.h"
#include "core/backend/cuda/launch_plan.h"
#include "core/backend/cuda/sliced_pass.h"
#include "core/backend/cuda/square_sums.h"

namespace riesz::cuda {

class CudaFlowStepper final : public FlowStepper {
 public:
  static absl::StatusOr<std::unique_ptr<FlowStepper>> Make(
      Device& device, const DeviceEnsemble& start, std::shared_ptr<const DeviceEnsemble> target,
      const FlowSpec& spec, PassOptions options);
  static int64_t Bytes(const DeviceFacts& facts, ProblemShape shape, const FlowSpec& spec,
                       PassOptions options);

  int64_t step() const override { return step_; }
  absl::StatusOr<RunResult> Step(Budget& budget, std::stop_token stop, bool measure) override;
  std::optional<StepMeasurement> measurement() const override { return measurement_; }
  int64_t chunks_per_step() const override { return plan_.chunks_planned(); }
  absl::StatusOr<std::shared_ptr<const DeviceEnsemble>> Snapshot() override;
  absl::StatusOr<FlowState> Save() override;
  absl::Status Restore(const FlowState& state) override;

 private:
  CudaFlowStepper(Device& device, ProblemShape shape, std::shared_ptr<const DeviceEnsemble> target,
                  const FlowSpec& spec, std::unique_ptr<SlicedPass> pass);
  int64_t size() const { return shape_.n * shape_.d; }
  absl::Status Allocate();
  absl::Status Begin(const DeviceEnsemble& start);
  absl::Status EnqueueUpdate();
  void Measure();

  Device& device_;
  const std::shared_ptr<const DeviceEnsemble> target_;
  const ProblemShape shape_;
  const FlowSpec spec_;
  int64_t step_ = 0;
  bool measure_ = false;
  bool target_ready_ = false;
  bool under_way_ = false;
  std::unique_ptr<SlicedPass> pass_;
  LaunchPlan target_plan_;  // runs once, within the first step
  LaunchPlan plan_;
  DeviceArray<float> particles_, velocity_;  // (n, d) of the last completed step
  DeviceArray<float> next_;                  // (n, d)
  DeviceArray<unsigned char> frozen_;        // (d)
  DeviceArray<unsigned> non_finite_;         // (1)
  PinnedArray<unsigned> non_finite_host_;
  SquareSums squares_;  // of the gradient's sums
  std::optional<StepMeasurement> measurement_;
};

}  // namespace riesz::cuda
