#include "core/backend/cuda/sliced_operations.h"

#include <cmath>
#include <utility>

#include "core/kernel.h"
#include "core/status_macros.h"

namespace riesz::cuda {
namespace {

ProblemShape ShapeOf(const DeviceEnsemble& x, const DeviceEnsemble& y) {
  return {.n = x.count(), .m = y.count(), .d = x.dim()};
}

}  // namespace

absl::StatusOr<std::unique_ptr<EnergyDistanceOperation>> SlicedEnergyDistance::Make(
    Device& device, std::shared_ptr<const DeviceEnsemble> x,
    std::shared_ptr<const DeviceEnsemble> y, const EnergyDistanceSpec& spec, PassOptions options) {
  options.ranks = false;
  RIESZ_ASSIGN_OR_RETURN(auto pass,
                         SlicedPass::Make(device, ShapeOf(*x, *y), spec.directions, options));
  return std::unique_ptr<EnergyDistanceOperation>(
      new SlicedEnergyDistance(device, std::move(x), std::move(y), spec, std::move(pass)));
}

SlicedEnergyDistance::SlicedEnergyDistance(Device& device, std::shared_ptr<const DeviceEnsemble> x,
                                           std::shared_ptr<const DeviceEnsemble> y,
                                           const EnergyDistanceSpec& spec,
                                           std::unique_ptr<SlicedPass> pass)
    : x_(std::move(x)),
      y_(std::move(y)),
      spec_(spec),
      step_(spec.round),
      pass_(std::move(pass)),
      plan_(device) {
  pass_->PlanTarget(plan_, OnDevice(*y_).data());
  pass_->PlanParticles(plan_, [this] { return OnDevice(*x_).data(); });
  pass_->PlanSlices(plan_, &step_, &values_);
  plan_.AddOnHost([this] { Summarize(); });
}

int64_t SlicedEnergyDistance::Bytes(const DeviceFacts& facts, ProblemShape shape,
                                    const EnergyDistanceSpec& spec, PassOptions options) {
  options.ranks = false;
  return SlicedPass::Bytes(facts, shape, spec.directions, options);
}

absl::StatusOr<RunResult> SlicedEnergyDistance::Run(Budget& budget, std::stop_token stop) {
  return plan_.Run(budget, stop);
}

void SlicedEnergyDistance::Summarize() {
  const SliceMean e = pass_->EnergyDistance(spec_.estimator);
  result_ = {.energy_distance = e.mean,
             .slicing_standard_error = e.standard_error,
             .slices = pass_->slices(),
             .blocks = IndependentBlockCount(spec_.directions, x_->dim())};
}

absl::StatusOr<std::unique_ptr<GradientOperation>> SlicedGradient::Make(
    Device& device, std::shared_ptr<const DeviceEnsemble> x,
    std::shared_ptr<const DeviceEnsemble> y, const GradientSpec& spec, PassOptions options) {
  options.ranks = true;
  RIESZ_ASSIGN_OR_RETURN(auto pass,
                         SlicedPass::Make(device, ShapeOf(*x, *y), spec.directions, options));
  RIESZ_ASSIGN_OR_RETURN(SquareSums squares, SquareSums::Make(device, x->count() * x->dim()));
  std::unique_ptr<SlicedGradient> gradient(
      new SlicedGradient(device, std::move(x), std::move(y), spec, std::move(pass)));
  gradient->squares_ = std::move(squares);
  return gradient;
}

SlicedGradient::SlicedGradient(Device& device, std::shared_ptr<const DeviceEnsemble> x,
                               std::shared_ptr<const DeviceEnsemble> y, const GradientSpec& spec,
                               std::unique_ptr<SlicedPass> pass)
    : device_(device),
      x_(std::move(x)),
      y_(std::move(y)),
      directions_(spec.directions),
      pass_(std::move(pass)),
      plan_(device) {
  pass_->PlanTarget(plan_, OnDevice(*y_).data());
  pass_->PlanParticles(plan_, [this] { return OnDevice(*x_).data(); });
  pass_->PlanSlices(plan_, &step_, &values_);
  // With S = sum_p h_p xi_p: n g = (c/P) S.
  const int64_t size = x_->count() * x_->dim();
  plan_.Add(CopySeconds(device.facts().speed, size), [this, size]() -> absl::Status {
    const double scale = SlicingConstant(x_->dim(), 1) /
                         (static_cast<double>(pass_->slices()) * static_cast<double>(x_->count()));
    RIESZ_RETURN_IF_ERROR(ScaleAndSquare(device_, pass_->sums().data(), size,
                                         static_cast<float>(scale), squares_.data()));
    return squares_.EnqueueToHost(device_);
  });
  plan_.AddOnHost([this] { Summarize(); });
}

int64_t SlicedGradient::Bytes(const DeviceFacts& facts, ProblemShape shape,
                              const GradientSpec& spec, PassOptions options) {
  options.ranks = true;
  return SlicedPass::Bytes(facts, shape, spec.directions, options) +
         SquareSums::Bytes(shape.n * shape.d);
}

absl::StatusOr<RunResult> SlicedGradient::Run(Budget& budget, std::stop_token stop) {
  return plan_.Run(budget, stop);
}

void SlicedGradient::Summarize() {
  const double total_square = squares_.Sum();
  const double c = SlicingConstant(x_->dim(), 1);
  const double root_n = std::sqrt(static_cast<double>(x_->count()));
  summary_ = {
      .rms_velocity = c * std::sqrt(total_square) / (static_cast<double>(pass_->slices()) * root_n),
      .slicing_standard_error = std::nullopt,
      .slices = pass_->slices(),
      .blocks = IndependentBlockCount(directions_, x_->dim())};
  if (const std::optional<double> squares = pass_->block_squares()) {
    summary_.slicing_standard_error =
        MeanVectorError(*squares, total_square, directions_, x_->dim());
  }
  if (summary_.slicing_standard_error) *summary_.slicing_standard_error *= c / root_n;
  gradient_ = std::make_shared<CudaEnsemble>(std::move(pass_->sums()), x_->count(), x_->dim());
}

}  // namespace riesz::cuda
