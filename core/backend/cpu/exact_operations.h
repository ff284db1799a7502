// Exact energy distance and gradient over all pairs, 0 < r < 2, as pausable operations.
//
// Thread safety: an operation belongs to one thread at a time. Each owns its scratch and keeps its
// operands alive. Constructors allocate and may throw std::bad_alloc; nothing else throws.
#pragma once

#include <memory>
#include <vector>

#include "core/backend/backend.h"
#include "core/backend/cpu/exact_pass.h"
#include "core/backend/cpu/tile_plan.h"
#include "core/matrix.h"

namespace riesz::cpu {

class ExactEnergyDistance final : public EnergyDistanceOperation {
 public:
  ExactEnergyDistance(ThreadPool& pool, std::shared_ptr<const DeviceEnsemble> x,
                      std::shared_ptr<const DeviceEnsemble> y, const EnergyDistanceSpec& spec);
  static int64_t Bytes(const ThreadPool& pool, ProblemShape shape) {
    return ExactPass::Bytes(pool, shape, false);
  }

  absl::StatusOr<RunResult> Run(Budget& budget, std::stop_token stop) override;
  int64_t chunks_done() const override { return plan_.chunks_done(); }
  int64_t chunks_planned() const override { return plan_.chunks_planned(); }
  const EnergyDistance& result() const override { return result_; }

 private:
  void Summarize();

  const std::shared_ptr<const DeviceEnsemble> x_, y_;
  const EnergyDistanceSpec spec_;
  ExactPass pass_;
  TilePlan plan_;
  EnergyDistance result_;
};

class ExactGradient final : public GradientOperation {
 public:
  ExactGradient(ThreadPool& pool, std::shared_ptr<const DeviceEnsemble> x,
                std::shared_ptr<const DeviceEnsemble> y, const GradientSpec& spec);
  static int64_t Bytes(const ThreadPool& pool, ProblemShape shape) {
    return ExactPass::Bytes(pool, shape, true) + shape.n * shape.d * 4 + PanelCount(shape.n) * 8;
  }

  absl::StatusOr<RunResult> Run(Budget& budget, std::stop_token stop) override;
  int64_t chunks_done() const override { return plan_.chunks_done(); }
  int64_t chunks_planned() const override { return plan_.chunks_planned(); }
  std::shared_ptr<const DeviceEnsemble> gradient() const override { return gradient_; }
  const GradientSummary& summary() const override { return summary_; }

 private:
  void Finish(int64_t panel);
  void Summarize();

  const std::shared_ptr<const DeviceEnsemble> x_, y_;
  const ProblemShape shape_;
  const double exponent_;
  ExactPass pass_;
  TilePlan plan_;
  Matrix rows_;                      // the result while it is written
  std::vector<double> panel_speed_;  // per panel: sum of |N g_i|^2
  std::shared_ptr<const DeviceEnsemble> gradient_;
  GradientSummary summary_;
};

}  // namespace riesz::cpu
