// Sliced energy distance and gradient at r = 1 as pausable operations.
//
// Thread safety: an operation belongs to one thread at a time. Each owns its scratch and keeps its
// operands alive.
#pragma once

#include <memory>

#include "core/backend/backend.h"
#include "core/backend/cuda/cuda_ensemble.h"
#include "core/backend/cuda/launch_plan.h"
#include "core/backend/cuda/sliced_pass.h"
#include "core/backend/cuda/square_sums.h"

namespace riesz::cuda {

class SlicedEnergyDistance final : public EnergyDistanceOperation {
 public:
  static absl::StatusOr<std::unique_ptr<EnergyDistanceOperation>> Make(
      Device& device, std::shared_ptr<const DeviceEnsemble> x,
      std::shared_ptr<const DeviceEnsemble> y, const EnergyDistanceSpec& spec, PassOptions options);
  static int64_t Bytes(const DeviceFacts& facts, ProblemShape shape, const EnergyDistanceSpec& spec,
                       PassOptions options);

  absl::StatusOr<RunResult> Run(Budget& budget, std::stop_token stop) override;
  int64_t chunks_done() const override { return plan_.chunks_done(); }
  int64_t chunks_planned() const override { return plan_.chunks_planned(); }
  const EnergyDistance& result() const override { return result_; }

 private:
  SlicedEnergyDistance(Device& device, std::shared_ptr<const DeviceEnsemble> x,
                       std::shared_ptr<const DeviceEnsemble> y, const EnergyDistanceSpec& spec,
                       std::unique_ptr<SlicedPass> pass);
  void Summarize();

  const std::shared_ptr<const DeviceEnsemble> x_, y_;
  const EnergyDistanceSpec spec_;
  const int64_t step_;
  const bool values_ = true;
  std::unique_ptr<SlicedPass> pass_;
  LaunchPlan plan_;
  EnergyDistance result_;
};

class SlicedGradient final : public GradientOperation {
 public:
  static absl::StatusOr<std::unique_ptr<GradientOperation>> Make(
      Device& device, std::shared_ptr<const DeviceEnsemble> x,
      std::shared_ptr<const DeviceEnsemble> y, const GradientSpec& spec, PassOptions options);
  static int64_t Bytes(const DeviceFacts& facts, ProblemShape shape, const GradientSpec& spec,
                       PassOptions options);

  absl::StatusOr<RunResult> Run(Budget& budget, std::stop_token stop) override;
  int64_t chunks_done() const override { return plan_.chunks_done(); }
  int64_t chunks_planned() const override { return plan_.chunks_planned(); }
  std::shared_ptr<const DeviceEnsemble> gradient() const override { return gradient_; }
  const GradientSummary& summary() const override { return summary_; }

 private:
  SlicedGradient(Device& device, std::shared_ptr<const DeviceEnsemble> x,
                 std::shared_ptr<const DeviceEnsemble> y, const GradientSpec& spec,
                 std::unique_ptr<SlicedPass> pass);
  void Summarize();

  Device& device_;
  const std::shared_ptr<const DeviceEnsemble> x_, y_;
  const DirectionSpec directions_;
  const int64_t step_ = 0;
  const bool values_ = false;
  std::unique_ptr<SlicedPass> pass_;
  SquareSums squares_;
  LaunchPlan plan_;
  std::shared_ptr<const DeviceEnsemble> gradient_;
  GradientSummary summary_;
};

}  // namespace riesz::cuda
