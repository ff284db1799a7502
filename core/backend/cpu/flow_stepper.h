// One flow on the cpu: particles and velocity in panels, one sliced pass a step.
//
// A step computes the gradient's panels, turns them into the new velocity in place, and writes the
// new particles over the centred ones, which the pass no longer needs. Only when all are finite do
// the buffers change places: a step that yields, stops or fails leaves particles and velocity
// untouched.
//
// Thread safety: belongs to one thread at a time.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "core/backend/backend.h"
#include "core/backend/cpu/sliced_pass.h"
#include "core/backend/cpu/tile_plan.h"

namespace riesz::cpu {

class CpuFlowStepper final : public FlowStepper {
 public:
  // Allocates everything; may throw std::bad_alloc.
  CpuFlowStepper(ThreadPool& pool, const DeviceEnsemble& start,
                 std::shared_ptr<const DeviceEnsemble> target, const FlowSpec& spec);
  static int64_t Bytes(const ThreadPool& pool, ProblemShape shape, const FlowSpec& spec);

  int64_t step() const override { return step_; }
  absl::StatusOr<RunResult> Step(Budget& budget, std::stop_token stop, bool measure) override;
  std::optional<StepMeasurement> measurement() const override { return measurement_; }
  int64_t chunks_per_step() const override { return plan_.chunks_planned(); }
  absl::StatusOr<std::shared_ptr<const DeviceEnsemble>> Snapshot() override;
  absl::StatusOr<FlowState> Save() override;
  absl::Status Restore(const FlowState& state) override;

 private:
  void Centre(int64_t panel);
  void Update(int64_t panel);
  void Measure();
  void CopyRows(const Buffer& panels, float* rows) const;
  void SetRows(const float* rows, Buffer& panels);

  ThreadPool& pool_;
  const std::shared_ptr<const DeviceEnsemble> target_;
  const ProblemShape shape_;
  const FlowSpec spec_;
  const std::vector<float> origin_;  // (d) zeros: what packing particles as they are subtracts
  std::vector<bool> frozen_;         // per coordinate
  int64_t step_ = 0;
  bool measure_ = false;
  bool target_ready_ = false;
  bool under_way_ = false;
  SlicedPass pass_;
  TilePlan target_plan_;  // runs once, within the first step
  TilePlan plan_;
  Buffer particles_;  // panels (n, d)
  Buffer velocity_;   // panels (n, d): v of the last completed step, gradient of D^2's units
  std::vector<double> panel_speed_;
  std::atomic<bool> finite_ = true;
  std::optional<StepMeasurement> measurement_;
};

}  // namespace riesz::cpu
