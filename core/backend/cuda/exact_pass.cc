#include "core/backend/cuda/exact_pass.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/backend/cuda/slice_layout.h"
#include "core/status_macros.h"

namespace riesz::cuda {
namespace {

constexpr int64_t kMaxGroupRows = 4096;
// A pair's root or power, in instructions; and those a pair and coordinate, of two flops each.
constexpr double kPairInstructions = 64;
constexpr double kCoordinateInstructions = 2;

double PairSeconds(const DeviceSpeed& speed, double pairs, int64_t d, double passes) {
  const double instructions =
      pairs * (kPairInstructions + passes * kCoordinateInstructions * static_cast<double>(d));
  return 2 * instructions / speed.flops;
}

constexpr double kPairsOfTile = static_cast<double>(kPairTile * kPairTile);

}  // namespace

ExactPass::ExactPass(Device& device, ProblemShape shape, double exponent)
    : device_(device),
      shape_(shape),
      exponent_(exponent),
      group_(GroupRows(device.facts().speed, shape)) {}

absl::StatusOr<std::unique_ptr<ExactPass>> ExactPass::Make(Device& device, ProblemShape shape,
                                                           double exponent, bool gradient) {
  std::unique_ptr<ExactPass> pass(new ExactPass(device, shape, exponent));
  RIESZ_RETURN_IF_ERROR(pass->Allocate(gradient));
  return pass;
}

int64_t ExactPass::GroupRows(const DeviceSpeed& speed, ProblemShape shape) {
  const double pairs = kChunkSeconds / PairSeconds(speed, 1, shape.d, 2);
  const auto rows = static_cast<int64_t>(std::sqrt(pairs)) / kPairTile * kPairTile;
  const int64_t all = CeilDiv(std::max(shape.n, shape.m), kPairTile) * kPairTile;
  return std::clamp(rows, kPairTile, std::min(kMaxGroupRows, all));
}

int64_t ExactPass::Bytes(const DeviceFacts& facts, ProblemShape shape, bool gradient) {
  const int64_t group = GroupRows(facts.speed, shape);
  return CentredPair::Bytes(shape) + (gradient ? DeviceArray<float>::Bytes(group * group) +
                                                     DeviceArray<float>::Bytes(shape.n * shape.d)
                                               : 2 * DeviceArray<double>::Bytes(3 * kPairSlots));
}

double ExactPass::Seconds(const DeviceSpeed& speed, ProblemShape shape, bool gradient) {
  const auto n = static_cast<double>(shape.n), m = static_cast<double>(shape.m);
  const double copies = 3 * CopySeconds(speed, (shape.n + shape.m) * shape.d);
  return copies + (gradient ? PairSeconds(speed, n * m + n * n, shape.d, 2)
                            : PairSeconds(speed, n * m + n * n / 2 + m * m / 2, shape.d, 1));
}

absl::Status ExactPass::Allocate(bool gradient) {
  RIESZ_ASSIGN_OR_RETURN(pair_, CentredPair::Make(device_, shape_));
  if (gradient) {
    RIESZ_ASSIGN_OR_RETURN(weights_,
                           DeviceArray<float>::Make(device_, group_ * group_, "weights of pairs"));
    RIESZ_ASSIGN_OR_RETURN(sums_,
                           DeviceArray<float>::Make(device_, shape_.n * shape_.d, "a gradient"));
    return absl::OkStatus();
  }
  constexpr char kSums[] = "sums over pairs";
  RIESZ_ASSIGN_OR_RETURN(pair_sums_, DeviceArray<double>::Make(device_, 3 * kPairSlots, kSums));
  RIESZ_ASSIGN_OR_RETURN(pair_sums_host_,
                         PinnedArray<double>::Make(device_, 3 * kPairSlots, kSums));
  return absl::OkStatus();
}

void ExactPass::PlanEnsembles(LaunchPlan& plan, const float* x, const float* y) {
  pair_.PlanScale(plan, x, y);
  pair_.PlanTarget(plan, y);
  pair_.PlanParticles(plan, [x] { return x; });
}

void ExactPass::PlanSums(LaunchPlan& plan, Rows a, Rows b, bool same, double* sums) {
  // As many tiles a launch as make a chunk, but a tile for each slot where there are so many.
  const double tile_seconds =
      PairSeconds(device_.facts().speed, kPairsOfTile, shape_.d, 1) / (same ? 2 : 1);
  const int64_t tiles = CeilDiv(a.count, kPairTile) * CeilDiv(b.count, kPairTile);
  const double fitting = std::min(kChunkSeconds / tile_seconds, static_cast<double>(tiles));
  const int64_t per_launch = std::max<int64_t>(1, static_cast<int64_t>(fitting));
  plan.AddTiles(CeilDiv(tiles, per_launch), tile_seconds * static_cast<double>(per_launch),
                [=, this](int64_t launch) {
                  const int64_t first = launch * per_launch;
                  return AddPairSums(device_, a, b, shape_.d, same, exponent_, first,
                                     std::min(per_launch, tiles - first), sums);
                });
}

void ExactPass::PlanDistances(LaunchPlan& plan) {
  const Rows x{pair_.x(), shape_.n}, y{pair_.y(), shape_.m};
  plan.Add(0, [this] { return device_.EnqueueClear(pair_sums_.data(), pair_sums_.bytes()); });
  PlanSums(plan, x, y, false, pair_sums_.data());
  PlanSums(plan, x, x, true, pair_sums_.data() + kPairSlots);
  PlanSums(plan, y, y, true, pair_sums_.data() + 2 * kPairSlots);
  plan.Add(0, [this] {
    return device_.EnqueueToHost(pair_sums_host_.data(), pair_sums_.data(), pair_sums_.bytes());
  });
}

void ExactPass::PlanVelocities(LaunchPlan& plan) {
  plan.Add(CopySeconds(device_.facts().speed, shape_.n * shape_.d),
           [this] { return device_.EnqueueClear(sums_.data(), sums_.bytes()); });
  PlanWeighted(plan, {pair_.y(), shape_.m}, exponent_ / static_cast<double>(shape_.m));
  PlanWeighted(plan, {pair_.x(), shape_.n}, -exponent_ / static_cast<double>(shape_.n));
}

// sums_i += scale sum_j |x_i - z_j|^(r - 2) (x_i - z_j), group by group, partners in their order.
void ExactPass::PlanWeighted(LaunchPlan& plan, Rows z, double scale) {
  const int64_t partner_groups = CeilDiv(z.count, group_);
  const auto pairs = static_cast<double>(group_ * group_);
  plan.AddTiles(CeilDiv(shape_.n, group_) * partner_groups,
                PairSeconds(device_.facts().speed, pairs, shape_.d, 2), [=, this](int64_t tile) {
                  const int64_t i = tile / partner_groups * group_,
                                j = tile % partner_groups * group_;
                  const Rows a{pair_.x() + i * shape_.d, std::min(group_, shape_.n - i)};
                  const Rows b{z.data + j * shape_.d, std::min(group_, z.count - j)};
                  RIESZ_RETURN_IF_ERROR(
                      WeighPairs(device_, a, b, shape_.d, exponent_, scale, weights_.data()));
                  return AddWeightedDifferences(device_, a, b, shape_.d, weights_.data(),
                                                sums_.data() + i * shape_.d);
                });
}

double ExactPass::Unscale(double power) const {
  return std::pow(static_cast<double>(pair_.scale()), -power);
}

double ExactPass::SumOf(int64_t which) const {
  const double* first = pair_sums_host_.data() + which * kPairSlots;
  return std::accumulate(first, first + kPairSlots, 0.0) * Unscale(exponent_);
}

}  // namespace riesz::cuda
