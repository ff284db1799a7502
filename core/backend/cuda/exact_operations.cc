#include "core/backend/cuda/exact_operations.h"

#include <cmath>
#include <utility>

#include "core/backend/cuda/slice_layout.h"
#include "core/status_macros.h"

namespace riesz::cuda {
namespace {

ProblemShape ShapeOf(const DeviceEnsemble& x, const DeviceEnsemble& y) {
  return {.n = x.count(), .m = y.count(), .d = x.dim()};
}

}  // namespace

absl::StatusOr<std::unique_ptr<EnergyDistanceOperation>> ExactEnergyDistance::Make(
    Device& device, std::shared_ptr<const DeviceEnsemble> x,
    std::shared_ptr<const DeviceEnsemble> y, const EnergyDistanceSpec& spec) {
  RIESZ_ASSIGN_OR_RETURN(auto pass, ExactPass::Make(device, ShapeOf(*x, *y), spec.exponent, false));
  return std::unique_ptr<EnergyDistanceOperation>(
      new ExactEnergyDistance(device, std::move(x), std::move(y), spec, std::move(pass)));
}

ExactEnergyDistance::ExactEnergyDistance(Device& device, std::shared_ptr<const DeviceEnsemble> x,
                                         std::shared_ptr<const DeviceEnsemble> y,
                                         const EnergyDistanceSpec& spec,
                                         std::unique_ptr<ExactPass> pass)
    : x_(std::move(x)), y_(std::move(y)), spec_(spec), pass_(std::move(pass)), plan_(device) {
  pass_->PlanEnsembles(plan_, OnDevice(*x_).data(), OnDevice(*y_).data());
  pass_->PlanDistances(plan_);
  plan_.AddOnHost([this] { Summarize(); });
}

absl::StatusOr<RunResult> ExactEnergyDistance::Run(Budget& budget, std::stop_token stop) {
  return plan_.Run(budget, stop);
}

void ExactEnergyDistance::Summarize() {
  const auto n = static_cast<double>(x_->count());
  const auto m = static_cast<double>(y_->count());
  const double between = 2 * pass_->SumBetween() / (n * m);
  if (spec_.estimator == Estimator::kU) {
    result_.energy_distance =
        between - pass_->SumWithinX() / (n * (n - 1)) - pass_->SumWithinY() / (m * (m - 1));
    return;
  }
  // The V-statistic is never negative; rounding of its three sums is. An overflow must stay NaN.
  const double distance = between - pass_->SumWithinX() / (n * n) - pass_->SumWithinY() / (m * m);
  result_.energy_distance = distance < 0 ? 0.0 : distance;
}

absl::StatusOr<std::unique_ptr<GradientOperation>> ExactGradient::Make(
    Device& device, std::shared_ptr<const DeviceEnsemble> x,
    std::shared_ptr<const DeviceEnsemble> y, const GradientSpec& spec) {
  RIESZ_ASSIGN_OR_RETURN(auto pass, ExactPass::Make(device, ShapeOf(*x, *y), spec.exponent, true));
  RIESZ_ASSIGN_OR_RETURN(SquareSums squares, SquareSums::Make(device, x->count() * x->dim()));
  std::unique_ptr<ExactGradient> gradient(
      new ExactGradient(device, std::move(x), std::move(y), spec, std::move(pass)));
  gradient->squares_ = std::move(squares);
  return gradient;
}

ExactGradient::ExactGradient(Device& device, std::shared_ptr<const DeviceEnsemble> x,
                             std::shared_ptr<const DeviceEnsemble> y, const GradientSpec& spec,
                             std::unique_ptr<ExactPass> pass)
    : device_(device),
      x_(std::move(x)),
      y_(std::move(y)),
      exponent_(spec.exponent),
      pass_(std::move(pass)),
      plan_(device) {
  pass_->PlanEnsembles(plan_, OnDevice(*x_).data(), OnDevice(*y_).data());
  pass_->PlanVelocities(plan_);
  const int64_t size = x_->count() * x_->dim();
  plan_.Add(CopySeconds(device.facts().speed, size), [this, size]() -> absl::Status {
    RIESZ_RETURN_IF_ERROR(ScaleAndSquare(
        device_, pass_->sums().data(), size,
        static_cast<float>(Factor() / static_cast<double>(x_->count())), squares_.data()));
    return squares_.EnqueueToHost(device_);
  });
  plan_.AddOnHost([this] { Summarize(); });
}

absl::StatusOr<RunResult> ExactGradient::Run(Budget& budget, std::stop_token stop) {
  return plan_.Run(budget, stop);
}

void ExactGradient::Summarize() {
  summary_.rms_velocity = Factor() * std::sqrt(squares_.Sum() / static_cast<double>(x_->count()));
  gradient_ = std::make_shared<CudaEnsemble>(std::move(pass_->sums()), x_->count(), x_->dim());
}

}  // namespace riesz::cuda
