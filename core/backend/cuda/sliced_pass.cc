#include "core/backend/cuda/sliced_pass.h"

#include <algorithm>
#include <utility>

#include "core/backend/cuda/kernels/flow_update.h"
#include "core/kernel.h"
#include "core/status_macros.h"

namespace riesz::cuda {
// Elements of every array; 0 where it is not needed.
struct SlicedPass::Sizes {
  int64_t projections = 0, sums = 0;
  int64_t points_low = 0, directions_low = 0, projections_low = 0;

  int64_t Bytes() const {
    using Floats = DeviceArray<float>;
    return Floats::Bytes(projections) + Floats::Bytes(sums) + Floats::Bytes(points_low) +
           Floats::Bytes(directions_low) + Floats::Bytes(projections_low);
  }
};

SlicedPass::SlicedPass(Device& device, ProblemShape shape, const DirectionSpec& directions,
                       const PassOptions& options)
    : device_(device),
      shape_(shape),
      spec_(directions),
      options_(options),
      layout_(LayOutSlices(device.facts().speed, shape, directions)) {}

SlicedPass::Sizes SlicedPass::SizesOf(ProblemShape shape, const SliceLayout& layout,
                                      const PassOptions& options) {
  Sizes sizes;
  sizes.projections = layout.max_count * (shape.n + shape.m);
  if (options.ranks) sizes.sums = shape.n * shape.d;
  if (options.precision != MatrixPrecision::kTf32x3) return sizes;
  sizes.points_low = (shape.n + shape.m) * shape.d;
  sizes.directions_low = layout.max_count * shape.d;
  if (options.ranks) sizes.projections_low = sizes.projections;
  return sizes;
}

int64_t SlicedPass::Bytes(const DeviceFacts& facts, ProblemShape shape,
                          const DirectionSpec& directions, const PassOptions& options) {
  const SliceLayout layout = LayOutSlices(facts.speed, shape, directions);
  return CentredPair::Bytes(shape) + DirectionSource::Bytes(directions, shape.d, layout) +
         SliceRanks::Bytes(facts, {shape.n, shape.m}, layout.slices, layout.max_count,
                           options.ranks) +
         SizesOf(shape, layout, options).Bytes();
}

absl::StatusOr<std::unique_ptr<SlicedPass>> SlicedPass::Make(Device& device, ProblemShape shape,
                                                             const DirectionSpec& directions,
                                                             const PassOptions& options) {
  std::unique_ptr<SlicedPass> pass(new SlicedPass(device, shape, directions, options));
  RIESZ_RETURN_IF_ERROR(pass->Allocate());
  return pass;
}

absl::Status SlicedPass::Allocate() {
  const Sizes sizes = SizesOf(shape_, layout_, options_);
  RIESZ_ASSIGN_OR_RETURN(pair_, CentredPair::Make(device_, shape_));
  RIESZ_ASSIGN_OR_RETURN(source_, DirectionSource::Make(device_, options_.threads, spec_, shape_.d,
                                                        layout_, options_.repeats));
  RIESZ_ASSIGN_OR_RETURN(slice_ranks_,
                         SliceRanks::Make(device_, {shape_.n, shape_.m}, layout_.slices,
                                          layout_.max_count, options_.ranks));
  const auto make = [&](DeviceArray<float>& array, int64_t size,
                        const char* purpose) -> absl::Status {
    RIESZ_ASSIGN_OR_RETURN(array, DeviceArray<float>::Make(device_, size, purpose));
    return absl::OkStatus();
  };
  RIESZ_RETURN_IF_ERROR(make(projections_, sizes.projections, "projections of slices"));
  RIESZ_RETURN_IF_ERROR(make(sums_, sizes.sums, "a gradient"));
  constexpr char kLow[] = "low halves of split factors";
  RIESZ_RETURN_IF_ERROR(make(points_low_, sizes.points_low, kLow));
  RIESZ_RETURN_IF_ERROR(make(directions_low_, sizes.directions_low, kLow));
  return make(projections_low_, sizes.projections_low, kLow);
}

void SlicedPass::PlanTarget(LaunchPlan& plan, const float* y) {
  pair_.PlanTarget(plan, y);
  PlanSplit(plan, shape_.n, shape_.m);
}

void SlicedPass::PlanParticles(LaunchPlan& plan, std::function<const float*()> x) {
  pair_.PlanParticles(plan, std::move(x));
  PlanSplit(plan, 0, shape_.n);
}

// Rows become their high halves: each is split once after it is centred, no more.
void SlicedPass::PlanSplit(LaunchPlan& plan, int64_t first_row, int64_t rows) {
  if (options_.precision != MatrixPrecision::kTf32x3) return;
  const int64_t first = first_row * shape_.d, size = rows * shape_.d;
  plan.Add(2 * CopySeconds(device_.facts().speed, size),
           [=, this] { return Split(pair_.points() + first, size, points_low_.data() + first); });
}

void SlicedPass::PlanSlices(LaunchPlan& plan, const int64_t* step, const bool* values) {
  const DeviceSpeed& speed = device_.facts().speed;
  const double products = options_.precision == MatrixPrecision::kTf32x3 ? 3 : 1;
  for (size_t i = 0; i < layout_.chunks.size(); ++i) {
    const SliceChunk& chunk = layout_.chunks[i];
    const auto slices = static_cast<double>(chunk.count);
    plan.Add(source_->PlanSeconds(),
             [this, step, i] { return source_->Enqueue(*step, static_cast<int64_t>(i)); });
    plan.Add(products * slices * ProjectSeconds(speed, shape_),
             [this, &chunk] { return Project(chunk); });
    plan.Add(slices * SortSeconds(speed, shape_) / 2,
             [this, &chunk] { return slice_ranks_->SortFirst(projections_.data(), chunk.count); });
    plan.Add(slices * SortSeconds(speed, shape_) / 2, [this, &chunk, values] {
      return slice_ranks_->Rank(projections_.data(), chunk.first, chunk.count, *values);
    });
    if (options_.ranks) {
      plan.Add(products * slices * ProjectBackSeconds(speed, shape_),
               [this, &chunk] { return ProjectBack(chunk); });
    }
  }
  plan.Add(CopySeconds(speed, slice_ranks_->sums_bytes() / 4),
           [this] { return slice_ranks_->EnqueueToHost(); });
}

absl::Status SlicedPass::Split(float* values, int64_t size, float* low) {
  if (options_.precision != MatrixPrecision::kTf32x3) return absl::OkStatus();
  return SplitTf32(device_, values, size, values, low);
}

// a b = a_low b + a b_low + a b in TF32, from the smallest up, where a and b are the high halves.
absl::Status SlicedPass::Multiply(MatrixProduct product, const float* a_low, const float* b_low) {
  if (options_.precision == MatrixPrecision::kFp32) return device_.Multiply(product);
  product.kind = ProductKind::kTf32;
  if (options_.precision == MatrixPrecision::kTf32) return device_.Multiply(product);
  MatrixProduct part = product;
  part.a = a_low;
  RIESZ_RETURN_IF_ERROR(device_.Multiply(part));
  part.a = product.a;
  part.b = b_low;
  part.accumulate = true;
  RIESZ_RETURN_IF_ERROR(device_.Multiply(part));
  part.b = product.b;
  return device_.Multiply(part);
}

absl::Status SlicedPass::Project(const SliceChunk& chunk) {
  RIESZ_RETURN_IF_ERROR(
      Split(source_->directions(), chunk.count * shape_.d, directions_low_.data()));
  const MatrixProduct product{.rows = chunk.count,
                              .cols = shape_.n + shape_.m,
                              .depth = shape_.d,
                              .a = source_->directions(),
                              .a_stride = shape_.d,
                              .b = pair_.points(),
                              .b_stride = shape_.d,
                              .c = projections_.data(),
                              .c_stride = shape_.n + shape_.m};
  return Multiply(product, directions_low_.data(), points_low_.data());
}

absl::Status SlicedPass::ProjectBack(const SliceChunk& chunk) {
  RIESZ_RETURN_IF_ERROR(
      Split(projections_.data(), chunk.count * (shape_.n + shape_.m), projections_low_.data()));
  const MatrixProduct product{.transpose_a = true,
                              .rows = shape_.n,
                              .cols = shape_.d,
                              .depth = chunk.count,
                              .a = projections_.data(),
                              .a_stride = shape_.n + shape_.m,
                              .b = source_->directions(),
                              .b_stride = shape_.d,
                              .c = sums_.data(),
                              .c_stride = shape_.d,
                              .accumulate = chunk.first > 0};
  return Multiply(product, projections_low_.data(), directions_low_.data());
}

SliceMean SlicedPass::EnergyDistance(Estimator estimator) const {
  const auto n = static_cast<double>(shape_.n), m = static_cast<double>(shape_.m);
  std::vector<double> values(static_cast<size_t>(layout_.slices));
  for (int64_t s = 0; s < layout_.slices; ++s) {
    const SliceSums total = slice_ranks_->Total(s);
    double& value = values[static_cast<size_t>(s)];
    value = 2 * total.energy / (n * m) / (n * m);
    if (estimator == Estimator::kU) {
      value -= 2 * total.x_spread / (n * n) / (n - 1) + 2 * total.y_spread / (m * m) / (m - 1);
    }
  }
  SliceMean mean = AverageSlices(values, spec_, shape_.d);
  const double c = SlicingConstant(shape_.d, 1);
  mean.mean *= c;
  if (mean.standard_error) *mean.standard_error *= c;
  return mean;
}

std::optional<double> SlicedPass::block_squares() const {
  if (spec_.kind == DirectionKind::kLowDiscrepancy && shape_.d > 1) return std::nullopt;
  double squares = 0;
  int64_t block = 0;
  for (int64_t s = 0; s < layout_.slices; ++s) {
    double size = 1;
    if (spec_.kind != DirectionKind::kIid) {
      DirectionBlock of_slice = DirectionBlockAt(spec_, shape_.d, block);
      if (s == of_slice.first + of_slice.count) {
        of_slice = DirectionBlockAt(spec_, shape_.d, ++block);
      }
      size = static_cast<double>(of_slice.count);
    }
    squares += slice_ranks_->Total(s).h_square / size;
  }
  return squares;
}

}  // namespace riesz::cuda
