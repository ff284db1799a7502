#include "core/backend/cuda/centred_pair.h"

#include <utility>

#include "core/backend/cuda/kernels/centre.h"
#include "core/backend/cuda/slice_layout.h"
#include "core/status_macros.h"

namespace riesz::cuda {

absl::StatusOr<CentredPair> CentredPair::Make(Device& device, ProblemShape shape) {
  constexpr char kPurpose[] = "centred particles";
  CentredPair pair;
  pair.device_ = &device;
  pair.shape_ = shape;
  RIESZ_ASSIGN_OR_RETURN(pair.points_,
                         DeviceArray<float>::Make(device, (shape.n + shape.m) * shape.d, kPurpose));
  RIESZ_ASSIGN_OR_RETURN(pair.centre_, DeviceArray<float>::Make(device, shape.d, kPurpose));
  RIESZ_ASSIGN_OR_RETURN(pair.most_, DeviceArray<unsigned>::Make(device, 1, kPurpose));
  RIESZ_ASSIGN_OR_RETURN(pair.most_host_, PinnedArray<unsigned>::Make(device, 1, kPurpose));
  return pair;
}

int64_t CentredPair::Bytes(ProblemShape shape) {
  return DeviceArray<float>::Bytes((shape.n + shape.m) * shape.d) +
         DeviceArray<float>::Bytes(shape.d) + 2 * DeviceArray<unsigned>::Bytes(1);
}

void CentredPair::PlanScale(LaunchPlan& plan, const float* x, const float* y) {
  const double seconds = CopySeconds(device_->facts().speed, (shape_.n + shape_.m) * shape_.d);
  plan.Add(seconds, [=, this]() -> absl::Status {
    RIESZ_RETURN_IF_ERROR(device_->EnqueueClear(most_.data(), most_.bytes()));
    RIESZ_RETURN_IF_ERROR(FindLargest(*device_, x, shape_.n * shape_.d, most_.data()));
    RIESZ_RETURN_IF_ERROR(FindLargest(*device_, y, shape_.m * shape_.d, most_.data()));
    return device_->EnqueueToHost(most_host_.data(), most_.data(), most_.bytes());
  });
  plan.AddOnHost([this] { scale_ = ScaleFor(*most_host_.data()); });
}

void CentredPair::PlanTarget(LaunchPlan& plan, const float* y) {
  plan.Add(CopySeconds(device_->facts().speed, shape_.m * shape_.d), [=, this]() -> absl::Status {
    RIESZ_RETURN_IF_ERROR(FindCentre(*device_, y, shape_.m, shape_.d, centre_.data()));
    return CentreRows(*device_, y, shape_.m, shape_.d, centre_.data(), scale_,
                      points_.data() + shape_.n * shape_.d);
  });
}

void CentredPair::PlanParticles(LaunchPlan& plan, std::function<const float*()> x) {
  plan.Add(CopySeconds(device_->facts().speed, shape_.n * shape_.d),
           [this, x = std::move(x)]() -> absl::Status {
             return CentreRows(*device_, x(), shape_.n, shape_.d, centre_.data(), scale_,
                               points_.data());
           });
}

}  // namespace riesz::cuda
