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
  int64_t x_keys = 0, x_places = 0, y_keys = 0;  // two arrays each
  int64_t sort_scratch = 0, slice_sums = 0;

  int64_t Bytes() const {
    return DeviceArray<float>::Bytes(projections) + DeviceArray<float>::Bytes(sums) +
           DeviceArray<float>::Bytes(points_low) + DeviceArray<float>::Bytes(directions_low) +
           DeviceArray<float>::Bytes(projections_low) +
           2 * (DeviceArray<uint32_t>::Bytes(x_keys) + DeviceArray<uint32_t>::Bytes(x_places) +
                DeviceArray<uint32_t>::Bytes(y_keys)) +
           DeviceArray<unsigned char>::Bytes(sort_scratch) +
           2 * DeviceArray<SliceSums>::Bytes(slice_sums);
  }
};

SlicedPass::SlicedPass(Device& device, ProblemShape shape, const DirectionSpec& directions,
                       const PassOptions& options)
    : device_(device),
      shape_(shape),
      slice_shape_{shape.n, shape.m},
      spec_(directions),
      options_(options),
      layout_(LayOutSlices(device.facts().speed, shape, directions)),
      strategy_(ChooseSort(device.facts(), slice_shape_)),
      parts_(SliceParts(strategy_, options.ranks, slice_shape_)) {}

SlicedPass::Sizes SlicedPass::SizesOf(const DeviceFacts& facts, ProblemShape shape,
                                      const SliceLayout& layout, const PassOptions& options) {
  const SliceShape slice{shape.n, shape.m};
  const SortStrategy strategy = ChooseSort(facts, slice);
  Sizes sizes;
  sizes.projections = layout.max_count * (shape.n + shape.m);
  if (options.ranks) sizes.sums = shape.n * shape.d;
  if (options.precision == MatrixPrecision::kTf32x3) {
    sizes.points_low = (shape.n + shape.m) * shape.d;
    sizes.directions_low = layout.max_count * shape.d;
    if (options.ranks) sizes.projections_low = sizes.projections;
  }
  if (strategy == SortStrategy::kDevice) {
    sizes.x_keys = layout.max_count * shape.n;
    if (options.ranks) sizes.x_places = sizes.x_keys;
    sizes.y_keys = layout.max_count * shape.m;
    sizes.sort_scratch = kSortScratchBytes;
  }
  sizes.slice_sums = layout.slices * SliceParts(strategy, options.ranks, slice);
  return sizes;
}

int64_t SlicedPass::Bytes(const DeviceFacts& facts, ProblemShape shape,
                          const DirectionSpec& directions, const PassOptions& options) {
  const SliceLayout layout = LayOutSlices(facts.speed, shape, directions);
  return CentredPair::Bytes(shape) + DirectionSource::Bytes(directions, shape.d, layout) +
         SizesOf(facts, shape, layout, options).Bytes();
}

absl::StatusOr<std::unique_ptr<SlicedPass>> SlicedPass::Make(Device& device, ProblemShape shape,
                                                             const DirectionSpec& directions,
                                                             const PassOptions& options) {
  std::unique_ptr<SlicedPass> pass(new SlicedPass(device, shape, directions, options));
  RIESZ_RETURN_IF_ERROR(pass->Allocate());
  return pass;
}

absl::Status SlicedPass::Allocate() {
  const Sizes sizes = SizesOf(device_.facts(), shape_, layout_, options_);
  RIESZ_ASSIGN_OR_RETURN(pair_, CentredPair::Make(device_, shape_));
  RIESZ_ASSIGN_OR_RETURN(source_, DirectionSource::Make(device_, options_.threads, spec_, shape_.d,
                                                        layout_, options_.repeats));
  const auto make = [&](auto& array, int64_t size, const char* purpose) -> absl::Status {
    RIESZ_ASSIGN_OR_RETURN(array, std::decay_t<decltype(array)>::Make(device_, size, purpose));
    return absl::OkStatus();
  };
  RIESZ_RETURN_IF_ERROR(make(projections_, sizes.projections, "projections of slices"));
  RIESZ_RETURN_IF_ERROR(make(sums_, sizes.sums, "a gradient"));
  constexpr char kLow[] = "low halves of split factors";
  RIESZ_RETURN_IF_ERROR(make(points_low_, sizes.points_low, kLow));
  RIESZ_RETURN_IF_ERROR(make(directions_low_, sizes.directions_low, kLow));
  RIESZ_RETURN_IF_ERROR(make(projections_low_, sizes.projections_low, kLow));
  constexpr char kSort[] = "sorting slices";
  for (DeviceArray<uint32_t>* keys : {&x_keys_, &x_sorted_}) {
    RIESZ_RETURN_IF_ERROR(make(*keys, sizes.x_keys, kSort));
  }
  for (DeviceArray<uint32_t>* places : {&x_places_, &x_sorted_places_}) {
    RIESZ_RETURN_IF_ERROR(make(*places, sizes.x_places, kSort));
  }
  for (DeviceArray<uint32_t>* keys : {&y_keys_, &y_sorted_}) {
    RIESZ_RETURN_IF_ERROR(make(*keys, sizes.y_keys, kSort));
  }
  RIESZ_RETURN_IF_ERROR(make(sort_scratch_, sizes.sort_scratch, kSort));
  RIESZ_RETURN_IF_ERROR(make(slice_sums_, sizes.slice_sums, "values of slices"));
  return make(slice_sums_host_, sizes.slice_sums, "values of slices");
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
    plan.Add(slices * SortSeconds(speed, shape_) / 2, [this, &chunk] { return SortFirst(chunk); });
    plan.Add(slices * SortSeconds(speed, shape_) / 2,
             [this, &chunk, values] { return Rank(chunk, *values); });
    if (options_.ranks) {
      plan.Add(products * slices * ProjectBackSeconds(speed, shape_),
               [this, &chunk] { return ProjectBack(chunk); });
    }
  }
  plan.Add(CopySeconds(speed, slice_sums_.bytes() / 4), [this] {
    return device_.EnqueueToHost(slice_sums_host_.data(), slice_sums_.data(), slice_sums_.bytes());
  });
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

DeviceSortArrays SlicedPass::SortArrays() {
  return {.x_keys = x_keys_.data(),
          .x_sorted = x_sorted_.data(),
          .x_places = x_places_.data(),
          .x_sorted_places = x_sorted_places_.data(),
          .y_keys = y_keys_.data(),
          .y_sorted = y_sorted_.data(),
          .scratch = sort_scratch_.data()};
}

absl::Status SlicedPass::SortFirst(const SliceChunk& chunk) {
  if (strategy_ == SortStrategy::kDevice) {
    return SortOnDevice(device_, projections_.data(), chunk.count, slice_shape_, SortArrays());
  }
  return SortColumns(device_, projections_.data(), chunk.count, shape_.n + shape_.m, shape_.n,
                     shape_.m);
}

absl::Status SlicedPass::Rank(const SliceChunk& chunk, bool values) {
  SliceSums* sums = slice_sums_.data() + chunk.first * parts_;
  if (strategy_ == SortStrategy::kDevice) {
    return WalkDeviceSorted(device_, projections_.data(), chunk.count, slice_shape_, SortArrays(),
                            values, sums);
  }
  if (options_.ranks) {
    return SortAndRank(device_, projections_.data(), chunk.count, slice_shape_, values, sums);
  }
  RIESZ_RETURN_IF_ERROR(
      SortColumns(device_, projections_.data(), chunk.count, shape_.n + shape_.m, 0, shape_.n));
  return WalkColumns(device_, projections_.data(), chunk.count, slice_shape_, sums);
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

// Parts in their order.
SliceSums SlicedPass::Total(int64_t slice) const {
  SliceSums total;
  for (int64_t p = slice * parts_; p < (slice + 1) * parts_; ++p) {
    const SliceSums& part = slice_sums_host_.data()[p];
    total.energy += part.energy;
    total.x_spread += part.x_spread;
    total.y_spread += part.y_spread;
    total.h_square += part.h_square;
  }
  return total;
}

SliceMean SlicedPass::EnergyDistance(Estimator estimator) const {
  const auto n = static_cast<double>(shape_.n), m = static_cast<double>(shape_.m);
  std::vector<double> values(static_cast<size_t>(layout_.slices));
  for (int64_t s = 0; s < layout_.slices; ++s) {
    const SliceSums total = Total(s);
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

double SlicedPass::block_squares() const {
  double squares = 0;
  int64_t block = 0;
  for (int64_t s = 0; s < layout_.slices; ++s) {
    double size = 1;
    if (spec_.kind == DirectionKind::kOrthogonal) {
      DirectionBlock of_slice = DirectionBlockAt(spec_, shape_.d, block);
      if (s == of_slice.first + of_slice.count) {
        of_slice = DirectionBlockAt(spec_, shape_.d, ++block);
      }
      size = static_cast<double>(of_slice.count);
    }
    squares += Total(s).h_square / size;
  }
  return squares;
}

}  // namespace riesz::cuda
