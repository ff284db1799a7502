// Sliced energy distance and gradient as pausable operations.
//
// Thread safety: an operation belongs to one thread at a time. Each owns its scratch and keeps its
// operands alive. Constructors allocate and may throw std::bad_alloc; nothing else throws.
#pragma once

#include <memory>
#include <vector>

#include "core/backend/backend.h"
#include "core/backend/cpu/sliced_pass.h"
#include "core/backend/cpu/tile_plan.h"
#include "core/matrix.h"

namespace riesz::cpu {

class SlicedEnergyDistance final : public EnergyDistanceOperation {
 public:
  SlicedEnergyDistance(ThreadPool& pool, std::shared_ptr<const DeviceEnsemble> x,
                       std::shared_ptr<const DeviceEnsemble> y, const EnergyDistanceSpec& spec);
  static int64_t Bytes(const ThreadPool& pool, ProblemShape shape, const EnergyDistanceSpec& spec);

  absl::StatusOr<RunResult> Run(Budget& budget, std::stop_token stop) override;
  int64_t chunks_done() const override { return plan_.chunks_done(); }
  int64_t chunks_planned() const override { return plan_.chunks_planned(); }
  const EnergyDistance& result() const override { return result_; }

 private:
  void Summarize();

  const std::shared_ptr<const DeviceEnsemble> x_, y_;
  const EnergyDistanceSpec spec_;
  const int64_t step_;
  const bool measure_ = true;
  SlicedPass pass_;
  TilePlan plan_;
  EnergyDistance result_;
};

class SlicedGradient final : public GradientOperation {
 public:
  SlicedGradient(ThreadPool& pool, std::shared_ptr<const DeviceEnsemble> x,
                 std::shared_ptr<const DeviceEnsemble> y, const GradientSpec& spec);
  static int64_t Bytes(const ThreadPool& pool, ProblemShape shape, const GradientSpec& spec);

  absl::StatusOr<RunResult> Run(Budget& budget, std::stop_token stop) override;
  int64_t chunks_done() const override { return plan_.chunks_done(); }
  int64_t chunks_planned() const override { return plan_.chunks_planned(); }
  std::shared_ptr<const DeviceEnsemble> gradient() const override { return gradient_; }
  const GradientSummary& summary() const override { return summary_; }

 private:
  // Over a panel's particles, as MeanVectorError takes them.
  struct PanelSums {
    double block_squares = 0;
    double total_square = 0;
  };

  void Finish(int64_t panel);
  void Summarize();

  const std::shared_ptr<const DeviceEnsemble> x_, y_;
  const ProblemShape shape_;
  const double exponent_;
  const DirectionSpec directions_;
  const int64_t step_ = 0;
  const bool measure_ = false;
  SlicedPass pass_;
  TilePlan plan_;
  Matrix rows_;  // the result while it is written
  std::vector<PanelSums> panel_sums_;
  std::shared_ptr<const DeviceEnsemble> gradient_;
  GradientSummary summary_;
};

// Sum over the panel's first `rows` particles of the squared norm, in double.
double PanelSquares(const float* panel, int64_t rows, int64_t dim);

}  // namespace riesz::cpu
