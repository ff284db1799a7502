#include "core/backend/reference/sliced_pass.h"

#include <algorithm>
#include <cmath>

#include "core/backend/reference/slice.h"
#include "core/kernel.h"

namespace riesz::reference {

SlicedPass::SlicedPass(MatrixView x, MatrixView y, double exponent, const DirectionSpec& spec,
                       PassNeeds needs, const std::vector<CoordinateRange>& frozen)
    : x_(x),
      y_(y),
      exponent_(exponent),
      spec_(spec),
      needs_(needs),
      moves_(static_cast<size_t>(x.cols), true),
      direction_scratch_(spec, x.cols),
      directions_(MaxBlockRows(spec, x.cols), x.cols) {
  for (const CoordinateRange& range : frozen) {
    std::fill(moves_.begin() + range.begin, moves_.begin() + range.end, false);
  }
  if (needs.values) {
    v_values_.resize(static_cast<size_t>(slices()));
    u_values_.resize(v_values_.size());
  }
  if (needs.gradient) {
    block_sums_.resize(static_cast<size_t>(x.size()));
    sums_.resize(block_sums_.size());
  }
}

int64_t SlicedPass::Bytes(ProblemShape shape, const DirectionSpec& spec, PassNeeds needs) {
  int64_t bytes = DirectionScratch::Bytes(spec, shape.d) + shape.d;
  bytes += MaxBlockRows(spec, shape.d) * shape.d * 4;
  // Of one slice: projections and h, sorted copies, merged.
  bytes += 8 * (4 * shape.n + 4 * shape.m);
  if (needs.values) bytes += 16 * SliceCount(spec, shape.d);
  if (needs.gradient) bytes += 16 * shape.n * shape.d;
  return bytes;
}

void SlicedPass::Begin(int64_t step) {
  step_ = step;
  block_index_ = 0;
  block_ = {};
  std::fill(block_sums_.begin(), block_sums_.end(), 0.0);
  std::fill(sums_.begin(), sums_.end(), 0.0);
  block_squares_ = total_square_ = 0;
}

void SlicedPass::RunSlice(int64_t slice) {
  if (slice == block_.first + block_.count) {
    block_ = DirectionBlockAt(spec_, x_.cols, block_index_);
    GenerateDirectionBlock(spec_, x_.cols, static_cast<uint64_t>(step_), block_index_++,
                           directions_.data(), direction_scratch_);
  }
  const float* direction = directions_.row(slice - block_.first);
  const std::vector<double> x = Project(x_, direction);
  const std::vector<double> y = Project(y_, direction);
  if (needs_.values) {
    const SliceIntegrals s = exponent_ == 1 ? Integrate(x, y) : IntegratePower(x, y, exponent_);
    v_values_[static_cast<size_t>(slice)] = s.energy_distance;
    u_values_[static_cast<size_t>(slice)] = s.energy_distance -
                                            2 * s.x_spread / static_cast<double>(x_.rows - 1) -
                                            2 * s.y_spread / static_cast<double>(y_.rows - 1);
  }
  if (!needs_.gradient) return;
  AddToGradient(direction, exponent_ == 1 ? Velocities(x, y) : PowerVelocities(x, y, exponent_));
  if (spec_.kind == DirectionKind::kIid) {
    EndBlock(1);
  } else if (slice + 1 == block_.first + block_.count) {
    EndBlock(block_.count);
  }
  if (slice + 1 == slices()) Finish();
}

void SlicedPass::AddToGradient(const float* direction, const std::vector<double>& h) {
  for (int64_t i = 0; i < x_.rows; ++i) {
    double* sums = block_sums_.data() + i * x_.cols;
    for (int64_t k = 0; k < x_.cols; ++k) {
      if (moves_[static_cast<size_t>(k)]) sums[k] += h[static_cast<size_t>(i)] * direction[k];
    }
  }
}

void SlicedPass::EndBlock(int64_t block_slices) {
  double square = 0;
  for (size_t e = 0; e < sums_.size(); ++e) {
    square += block_sums_[e] * block_sums_[e];
    sums_[e] += block_sums_[e];
    block_sums_[e] = 0;
  }
  block_squares_ += square / static_cast<double>(block_slices);
}

void SlicedPass::Finish() {
  const double scale = SlicingConstant(x_.cols, exponent_) / static_cast<double>(slices());
  for (double& sum : sums_) {
    total_square_ += sum * sum;
    sum *= scale;
  }
}

SliceMean SlicedPass::EnergyDistance(Estimator estimator) const {
  SliceMean result =
      AverageSlices(estimator == Estimator::kV ? v_values_ : u_values_, spec_, x_.cols);
  const double c = SlicingConstant(x_.cols, exponent_);
  result.mean *= c;
  if (result.standard_error) *result.standard_error *= c;
  return result;
}

SliceMean SlicedPass::RmsVelocity() const {
  const double c = SlicingConstant(x_.cols, exponent_);
  const double root_n = std::sqrt(static_cast<double>(x_.rows));
  SliceMean result;
  result.mean = c * std::sqrt(total_square_) / static_cast<double>(slices()) / root_n;
  result.standard_error = MeanVectorError(block_squares_, total_square_, spec_, x_.cols);
  if (result.standard_error) *result.standard_error *= c / root_n;
  return result;
}

}  // namespace riesz::reference
