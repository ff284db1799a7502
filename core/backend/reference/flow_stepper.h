// One flow on the reference backend.
//
// A step works on copies and swaps them in when it is complete, so that a step under way, stopped
// or failed is invisible.
//
// Thread safety: belongs to one thread at a time.
#pragma once

#include "core/backend/reference/operations.h"

namespace riesz::reference {

class ReferenceFlowStepper final : public FlowStepper {
 public:
  ReferenceFlowStepper(const Particles& start, Particles target, const FlowSpec& spec);
  static int64_t Bytes(ProblemShape shape, const FlowSpec& spec);

  int64_t step() const override { return step_; }
  absl::StatusOr<RunResult> Step(Budget& budget, std::stop_token stop, bool measure) override;
  std::optional<StepMeasurement> measurement() const override { return measurement_; }
  int64_t chunks_per_step() const override { return pass_.slices(); }
  absl::StatusOr<std::shared_ptr<const DeviceEnsemble>> Snapshot() override;
  absl::StatusOr<FlowState> Save() override;
  absl::Status Restore(const FlowState& state) override;

 private:
  // False when a particle or its velocity would not be finite.
  bool Move();

  const Particles target_;
  const FlowSpec spec_;
  int64_t step_ = 0;
  Matrix particles_, velocity_;            // (n, d) of the last completed step
  Matrix next_particles_, next_velocity_;  // (n, d)
  SlicedPass pass_;                        // over particles_ and target_
  int64_t slices_done_ = 0;
  bool measure_ = false;  // of the step under way
  std::optional<StepMeasurement> measurement_;
};

}  // namespace riesz::reference
