#include "core/backend/cpu/exact_operations.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/backend/cpu/cpu_ensemble.h"

namespace riesz::cpu {

namespace {

ProblemShape ShapeOf(const DeviceEnsemble& x, const DeviceEnsemble& y) {
  return {.n = x.count(), .m = y.count(), .d = x.dim()};
}

}  // namespace

ExactEnergyDistance::ExactEnergyDistance(ThreadPool& pool, std::shared_ptr<const DeviceEnsemble> x,
                                         std::shared_ptr<const DeviceEnsemble> y,
                                         const EnergyDistanceSpec& spec)
    : x_(std::move(x)),
      y_(std::move(y)),
      spec_(spec),
      pass_(pool, ShapeOf(*x_, *y_), spec.exponent, false),
      plan_(pool) {
  pass_.PlanEnsembles(plan_, RowsOf(*x_), RowsOf(*y_));
  pass_.PlanDistances(plan_);
  plan_.AddSerial([this] { Summarize(); });
}

absl::StatusOr<RunResult> ExactEnergyDistance::Run(Budget& budget, std::stop_token stop) {
  return plan_.Run(budget, stop);
}

void ExactEnergyDistance::Summarize() {
  const auto n = static_cast<double>(x_->count());
  const auto m = static_cast<double>(y_->count());
  const double between = 2 * pass_.SumBetween() / (n * m);
  if (spec_.estimator == Estimator::kU) {
    result_.energy_distance =
        between - pass_.SumWithinX() / (n * (n - 1)) - pass_.SumWithinY() / (m * (m - 1));
  } else {
    // The V-statistic is never negative; rounding of its three sums is. An overflow must stay NaN.
    const double distance = between - pass_.SumWithinX() / (n * n) - pass_.SumWithinY() / (m * m);
    result_.energy_distance = distance < 0 ? 0.0 : distance;
  }
}

ExactGradient::ExactGradient(ThreadPool& pool, std::shared_ptr<const DeviceEnsemble> x,
                             std::shared_ptr<const DeviceEnsemble> y, const GradientSpec& spec)
    : x_(std::move(x)),
      y_(std::move(y)),
      shape_(ShapeOf(*x_, *y_)),
      exponent_(spec.exponent),
      pass_(pool, shape_, spec.exponent, true),
      plan_(pool),
      rows_(Matrix::Uninitialized(shape_.n, shape_.d)),
      panel_speed_(static_cast<size_t>(PanelCount(shape_.n))) {
  pass_.PlanEnsembles(plan_, RowsOf(*x_), RowsOf(*y_));
  pass_.PlanWeights(plan_);
  plan_.AddPhase(PanelCount(shape_.n), 2 * CopySeconds(shape_.d * kPanelRows),
                 [this](int64_t panel, int) { Finish(panel); });
  plan_.AddSerial([this] { Summarize(); });
}

absl::StatusOr<RunResult> ExactGradient::Run(Budget& budget, std::stop_token stop) {
  return plan_.Run(budget, stop);
}

// N g_i = r (sum_j u_ij z_j - x_i sum_j u_ij), with u as in ExactPass::PlanWeights.
void ExactGradient::Finish(int64_t panel) {
  const float* sums = pass_.weighted_sums(panel);
  const double* totals = pass_.weight_totals(panel);
  const float* x = pass_.x_panel(panel);
  const int64_t first = panel * kPanelRows;
  const int64_t rows = std::min(kPanelRows, shape_.n - first);
  const auto n = static_cast<double>(shape_.n);
  const double factor = exponent_ * pass_.Unscale(exponent_ - 1);
  double squares = 0;
  for (int64_t r = 0; r < rows; ++r) {
    float* out = rows_.row(first + r);
    for (int64_t k = 0; k < shape_.d; ++k) {
      const double velocity = factor * (sums[k * kPanelRows + r] -
                                        static_cast<double>(x[k * kPanelRows + r]) * totals[r]);
      squares += velocity * velocity;
      out[k] = static_cast<float>(velocity / n);
    }
  }
  panel_speed_[static_cast<size_t>(panel)] = squares;
}

void ExactGradient::Summarize() {
  double speed = 0;
  for (const double panel : panel_speed_) speed += panel;
  summary_.rms_velocity = std::sqrt(speed / static_cast<double>(shape_.n));
  gradient_ = std::make_shared<CpuEnsemble>(std::move(rows_));
}

}  // namespace riesz::cpu
