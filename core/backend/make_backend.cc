#include "core/backend/make_backend.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/backend/cpu/cpu_backend.h"
#include "core/backend/reference/reference_backend.h"

namespace riesz {

absl::StatusOr<std::unique_ptr<Backend>> MakeBackend(std::string_view device,
                                                     const BackendOptions& options) {
  if (device == "cpu") return MakeCpuBackend(options);
  if (device == "reference") return MakeReferenceBackend();
  return absl::InvalidArgumentError(absl::StrCat("device must be one of cpu, reference, got '",
                                                 absl::string_view(device.data(), device.size()),
                                                 "'"));
}

}  // namespace riesz
