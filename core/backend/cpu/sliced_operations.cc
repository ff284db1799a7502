#include "core/backend/cpu/sliced_operations.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/backend/cpu/cpu_ensemble.h"
#include "core/backend/cpu/panel_sums.h"
#include "core/kernel.h"

namespace riesz::cpu {

namespace {

ProblemShape ShapeOf(const DeviceEnsemble& x, const DeviceEnsemble& y) {
  return {.n = x.count(), .m = y.count(), .d = x.dim()};
}

constexpr SlicedNeeds kValues{.values = true};
constexpr SlicedNeeds kGradient{.gradient = true, .gradient_error = true};

}  // namespace

SlicedEnergyDistance::SlicedEnergyDistance(ThreadPool& pool,
                                           std::shared_ptr<const DeviceEnsemble> x,
                                           std::shared_ptr<const DeviceEnsemble> y,
                                           const EnergyDistanceSpec& spec)
    : x_(std::move(x)),
      y_(std::move(y)),
      spec_(spec),
      step_(spec.round),
      pass_(pool, ShapeOf(*x_, *y_), spec.exponent, spec.directions, kValues),
      plan_(pool) {
  pass_.PlanTarget(plan_, RowsOf(*y_));
  pass_.PlanParticles(plan_, RowsOf(*x_));
  pass_.PlanSlices(plan_, &step_, &measure_);
  plan_.AddSerial([this] { Summarize(); });
}

int64_t SlicedEnergyDistance::Bytes(const ThreadPool& pool, ProblemShape shape,
                                    const EnergyDistanceSpec& spec) {
  return SlicedPass::Bytes(pool, shape, spec.exponent, spec.directions, kValues);
}

absl::StatusOr<RunResult> SlicedEnergyDistance::Run(Budget& budget, std::stop_token stop) {
  return plan_.Run(budget, stop);
}

void SlicedEnergyDistance::Summarize() {
  const auto n = static_cast<double>(x_->count());
  const auto m = static_cast<double>(y_->count());
  const bool unbiased = spec_.estimator == Estimator::kU;
  const double x_weight = unbiased ? 2 / (n - 1) : 0;
  const double y_weight = unbiased ? 2 / (m - 1) : 0;
  const double c = SlicingConstant(x_->dim(), spec_.exponent);
  const SliceMean e = pass_.Average([&](const SliceValue& v) {
    return v.energy_distance - x_weight * v.x_spread - y_weight * v.y_spread;
  });
  result_.energy_distance = c * e.mean;
  if (e.standard_error) result_.slicing_standard_error = c * *e.standard_error;
  result_.slices = pass_.slices();
  result_.blocks = IndependentBlockCount(spec_.directions, x_->dim());
}

SlicedGradient::SlicedGradient(ThreadPool& pool, std::shared_ptr<const DeviceEnsemble> x,
                               std::shared_ptr<const DeviceEnsemble> y, const GradientSpec& spec)
    : x_(std::move(x)),
      y_(std::move(y)),
      shape_(ShapeOf(*x_, *y_)),
      exponent_(spec.exponent),
      directions_(spec.directions),
      pass_(pool, shape_, spec.exponent, spec.directions, kGradient),
      plan_(pool),
      rows_(Matrix::Uninitialized(shape_.n, shape_.d)),
      panel_sums_(static_cast<size_t>(PanelCount(shape_.n))) {
  pass_.PlanTarget(plan_, RowsOf(*y_));
  pass_.PlanParticles(plan_, RowsOf(*x_));
  pass_.PlanSlices(plan_, &step_, &measure_);
  plan_.AddPhase(PanelCount(shape_.n),
                 static_cast<double>(shape_.d * kPanelRows) * 16 / kBytesPerSecond,
                 [this](int64_t panel, int) { Finish(panel); });
  plan_.AddSerial([this] { Summarize(); });
}

int64_t SlicedGradient::Bytes(const ThreadPool& pool, ProblemShape shape,
                              const GradientSpec& spec) {
  return SlicedPass::Bytes(pool, shape, spec.exponent, spec.directions, kGradient) +
         shape.n * shape.d * 4 + PanelCount(shape.n) * 16;
}

absl::StatusOr<RunResult> SlicedGradient::Run(Budget& budget, std::stop_token stop) {
  return plan_.Run(budget, stop);
}

// With S = sum_p h_p xi_p: N g = (c/P) S, whose error follows from the sums of S's blocks.
void SlicedGradient::Finish(int64_t panel) {
  const int64_t first = panel * kPanelRows;
  const int64_t rows = std::min(kPanelRows, shape_.n - first);
  double block_squares = 0;
  for (int64_t r = 0; r < rows; ++r) block_squares += pass_.block_squares(first + r);
  panel_sums_[static_cast<size_t>(panel)] = {
      .block_squares = block_squares,
      .total_square = PanelSquares(pass_.gradient_panel(panel), rows, shape_.d)};
  const double scale = SlicingConstant(shape_.d, exponent_) /
                       (static_cast<double>(pass_.slices()) * static_cast<double>(shape_.n));
  UnpackPanel(pass_.gradient_panel(panel), rows, shape_.d, static_cast<float>(scale),
              rows_.row(first));
}

void SlicedGradient::Summarize() {
  PanelSums all;
  for (const PanelSums& panel : panel_sums_) {
    all.block_squares += panel.block_squares;
    all.total_square += panel.total_square;
  }
  const double c = SlicingConstant(shape_.d, exponent_);
  const double root_n = std::sqrt(static_cast<double>(shape_.n));
  const std::optional<double> error =
      MeanVectorError(all.block_squares, all.total_square, directions_, shape_.d);
  summary_.rms_velocity = pass_.overflowed() ? NAN
                                             : c * std::sqrt(all.total_square) /
                                                   (static_cast<double>(pass_.slices()) * root_n);
  if (error) summary_.slicing_standard_error = c * *error / root_n;
  summary_.slices = pass_.slices();
  summary_.blocks = IndependentBlockCount(directions_, shape_.d);
  gradient_ = std::make_shared<CpuEnsemble>(std::move(rows_));
}

double PanelSquares(const float* panel, int64_t rows, int64_t dim) {
  double squares[kPanelRows] = {};
  AddPanelSquares(panel, kPanelRows, dim, squares);
  return std::accumulate(squares, squares + rows, 0.0);
}

}  // namespace riesz::cpu
