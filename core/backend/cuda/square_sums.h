// Partial sums of squares that a kernel leaves on the device, and their sum on the host.
#pragma once

#include <cstdint>
#include <numeric>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backend/cuda/device.h"
#include "core/backend/cuda/kernels/flow_update.h"
#include "core/status_macros.h"

namespace riesz::cuda {

class SquareSums {
 public:
  // Over `size` elements.
  static absl::StatusOr<SquareSums> Make(Device& device, int64_t size) {
    constexpr char kPurpose[] = "sums of squares";
    const int64_t slots = ReductionSlots(size);
    SquareSums sums;
    RIESZ_ASSIGN_OR_RETURN(sums.device_, DeviceArray<double>::Make(device, slots, kPurpose));
    RIESZ_ASSIGN_OR_RETURN(sums.host_, PinnedArray<double>::Make(device, slots, kPurpose));
    return sums;
  }
  static int64_t Bytes(int64_t size) {
    return 2 * DeviceArray<double>::Bytes(ReductionSlots(size));
  }

  double* data() { return device_.data(); }  // (slots) for a kernel
  absl::Status EnqueueToHost(Device& device) {
    return device.EnqueueToHost(host_.data(), device_.data(), device_.bytes());
  }
  // After that is done, slot by slot.
  double Sum() const { return std::accumulate(host_.data(), host_.data() + host_.size(), 0.0); }

 private:
  DeviceArray<double> device_;
  PinnedArray<double> host_;
};

}  // namespace riesz::cuda
