#include "core/backend/reference/operations.h"

#include <cmath>
#include <utility>

#include "core/backend/reference/pairs.h"

namespace riesz::reference {

RunResult RunChunks(int64_t& done, int64_t planned, Budget& budget, const std::stop_token& stop,
                    const std::function<void(int64_t)>& chunk) {
  while (done < planned) {
    if (stop.stop_requested()) return RunResult::kStopped;
    chunk(done);
    ++done;
    if (budget.SpendChunk() && done < planned) return RunResult::kYield;
  }
  return RunResult::kDone;
}

ExactEnergyDistance::ExactEnergyDistance(Particles x, Particles y, const EnergyDistanceSpec& spec)
    : x_(std::move(x)), y_(std::move(y)), spec_(spec) {}

absl::StatusOr<RunResult> ExactEnergyDistance::Run(Budget& budget, std::stop_token stop) {
  const int64_t n = x_->count();
  const RunResult run = RunChunks(done_, chunks_planned(), budget, stop, [&](int64_t i) {
    if (i < n) {
      between_ += SumOfPowers(x_->view().row(i), y_->view(), spec_.exponent);
      within_x_ += SumOfPowers(x_->view().row(i), x_->view(), spec_.exponent);
    } else {
      within_y_ += SumOfPowers(y_->view().row(i - n), y_->view(), spec_.exponent);
    }
  });
  if (run != RunResult::kDone) return run;
  const auto nd = static_cast<double>(n);
  const auto md = static_cast<double>(y_->count());
  const double left_out = spec_.estimator == Estimator::kU ? 1 : 0;
  result_.energy_distance = 2 * between_ / (nd * md) - within_x_ / (nd * (nd - left_out)) -
                            within_y_ / (md * (md - left_out));
  return run;
}

SlicedEnergyDistance::SlicedEnergyDistance(Particles x, Particles y, const EnergyDistanceSpec& spec)
    : x_(std::move(x)),
      y_(std::move(y)),
      spec_(spec),
      pass_(x_->view(), y_->view(), spec.exponent, spec.directions, {.values = true}) {
  pass_.Begin(spec.round);
}

absl::StatusOr<RunResult> SlicedEnergyDistance::Run(Budget& budget, std::stop_token stop) {
  const RunResult run = RunChunks(done_, chunks_planned(), budget, stop,
                                  [&](int64_t slice) { pass_.RunSlice(slice); });
  if (run != RunResult::kDone) return run;
  const SliceMean e = pass_.EnergyDistance(spec_.estimator);
  result_ = {.energy_distance = e.mean,
             .slicing_standard_error = e.standard_error,
             .slices = pass_.slices(),
             .blocks = IndependentBlockCount(spec_.directions, x_->dim())};
  return run;
}

ExactGradient::ExactGradient(Particles x, Particles y, const GradientSpec& spec)
    : x_(std::move(x)),
      y_(std::move(y)),
      spec_(spec),
      velocity_(static_cast<size_t>(x_->dim())),
      rows_(x_->count(), x_->dim()) {}

void ExactGradient::RunParticle(int64_t i) {
  const auto n = static_cast<double>(x_->count());
  const auto m = static_cast<double>(y_->count());
  velocity_.assign(velocity_.size(), 0);
  AddGradientSums(x_->view().row(i), y_->view(), spec_.exponent, 1 / m, velocity_);
  AddGradientSums(x_->view().row(i), x_->view(), spec_.exponent, -1 / n, velocity_);
  for (size_t k = 0; k < velocity_.size(); ++k) {
    square_sum_ += velocity_[k] * velocity_[k];
    rows_.row(i)[k] = static_cast<float>(velocity_[k] / n);
  }
}

absl::StatusOr<RunResult> ExactGradient::Run(Budget& budget, std::stop_token stop) {
  if (gradient_ != nullptr) return RunResult::kDone;
  const RunResult run =
      RunChunks(done_, chunks_planned(), budget, stop, [&](int64_t i) { RunParticle(i); });
  if (run != RunResult::kDone) return run;
  summary_.rms_velocity = std::sqrt(square_sum_ / static_cast<double>(x_->count()));
  gradient_ = std::make_shared<HostEnsemble>(std::move(rows_));
  return run;
}

SlicedGradient::SlicedGradient(Particles x, Particles y, const GradientSpec& spec)
    : x_(std::move(x)),
      y_(std::move(y)),
      spec_(spec),
      pass_(x_->view(), y_->view(), spec.exponent, spec.directions, {.gradient = true}),
      rows_(x_->count(), x_->dim()) {
  pass_.Begin(0);
}

absl::StatusOr<RunResult> SlicedGradient::Run(Budget& budget, std::stop_token stop) {
  if (gradient_ != nullptr) return RunResult::kDone;
  const RunResult run = RunChunks(done_, chunks_planned(), budget, stop,
                                  [&](int64_t slice) { pass_.RunSlice(slice); });
  if (run != RunResult::kDone) return run;
  const auto n = static_cast<double>(x_->count());
  for (int64_t e = 0; e < rows_.size(); ++e) {
    rows_.data()[e] = static_cast<float>(pass_.velocity()[static_cast<size_t>(e)] / n);
  }
  const SliceMean speed = pass_.RmsVelocity();
  summary_ = {.rms_velocity = speed.mean,
              .slicing_standard_error = speed.standard_error,
              .slices = pass_.slices(),
              .blocks = IndependentBlockCount(spec_.directions, x_->dim())};
  gradient_ = std::make_shared<HostEnsemble>(std::move(rows_));
  return run;
}

}  // namespace riesz::reference
