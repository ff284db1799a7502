#include "core/engine/device.h"

#include "core/error.h"

namespace riesz {

absl::Status Device::Noted(absl::Status status) {
  const std::optional<ErrorDetail> detail = DetailOf(status);
  if (detail.has_value() && detail->reason == ErrorReason::kDeviceLost && !lost_.exchange(true)) {
    loss_observer_(status);
  }
  return status;
}

absl::Status Device::CheckAlive() const {
  if (!lost()) return absl::OkStatus();
  return WithDetail(absl::UnavailableError("device " + report_.name + " was lost"),
                    {.reason = ErrorReason::kDeviceLost, .metadata = {{"device", report_.name}}});
}

}  // namespace riesz
