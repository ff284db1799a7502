// Exact energy distance and gradient over all pairs, 0 < r < 2, as pausable operations.
//
// Thread safety: an operation belongs to one thread at a time. Each owns its scratch and keeps its
// operands alive.
#pragma once

#include <memory>

#include "core/backend/backend.h"
#include "core/backend/cuda/cuda_ensemble.h"
#include "core/backend/cuda/exact_pass.h"
#include "core/backend/cuda/launch_plan.h"
#include "core/backend/cuda/square_sums.h"

namespace riesz::cuda {

class ExactEnergyDistance final : public EnergyDistanceOperation {
 public:
  static absl::StatusOr<std::unique_ptr<EnergyDistanceOperation>> Make(
      Device& device, std::shared_ptr<const DeviceEnsemble> x,
      std::shared_ptr<const DeviceEnsemble> y, const EnergyDistanceSpec& spec);
  static int64_t Bytes(const DeviceFacts& facts, ProblemShape shape) {
    return ExactPass::Bytes(facts, shape, false);
  }

  absl::StatusOr<RunResult> Run(Budget& budget, std::stop_token stop) override;
  int64_t chunks_done() const override { return plan_.chunks_done(); }
  int64_t chunks_planned() const override { return plan_.chunks_planned(); }
  const EnergyDistance& result() const override { return result_; }

 private:
  ExactEnergyDistance(Device& device, std::shared_ptr<const DeviceEnsemble> x,
                      std::shared_ptr<const DeviceEnsemble> y, const EnergyDistanceSpec& spec,
                      std::unique_ptr<ExactPass> pass);
  void Summarize();

  const std::shared_ptr<const DeviceEnsemble> x_, y_;
  const EnergyDistanceSpec spec_;
  std::unique_ptr<ExactPass> pass_;
  LaunchPlan plan_;
  EnergyDistance result_;
};

class ExactGradient final : public GradientOperation {
 public:
  static absl::StatusOr<std::unique_ptr<GradientOperation>> Make(
      Device& device, std::shared_ptr<const DeviceEnsemble> x,
      std::shared_ptr<const DeviceEnsemble> y, const GradientSpec& spec);
  static int64_t Bytes(const DeviceFacts& facts, ProblemShape shape) {
    return ExactPass::Bytes(facts, shape, true) + SquareSums::Bytes(shape.n * shape.d);
  }

  absl::StatusOr<RunResult> Run(Budget& budget, std::stop_token stop) override;
  int64_t chunks_done() const override { return plan_.chunks_done(); }
  int64_t chunks_planned() const override { return plan_.chunks_planned(); }
  std::shared_ptr<const DeviceEnsemble> gradient() const override { return gradient_; }
  const GradientSummary& summary() const override { return summary_; }

 private:
  ExactGradient(Device& device, std::shared_ptr<const DeviceEnsemble> x,
                std::shared_ptr<const DeviceEnsemble> y, const GradientSpec& spec,
                std::unique_ptr<ExactPass> pass);
  // Of n g_i, what sums of pairs must be multiplied with.
  double Factor() const { return pass_->Unscale(exponent_ - 1); }
  void Summarize();

  Device& device_;
  const std::shared_ptr<const DeviceEnsemble> x_, y_;
  const double exponent_;
  std::unique_ptr<ExactPass> pass_;
  SquareSums squares_;
  LaunchPlan plan_;
  std::shared_ptr<const DeviceEnsemble> gradient_;
  GradientSummary summary_;
};

}  // namespace riesz::cuda
