#include "core/backend/make_backend.h"

#include <string>

#include "core/backend/cpu/cpu_backend.h"
#include "core/backend/reference/reference_backend.h"
#include "core/error.h"

namespace riesz {

std::vector<std::string_view> BackendNames() { return {"reference", "cpu"}; }

absl::StatusOr<std::unique_ptr<Backend>> MakeBackend(std::string_view device,
                                                     const BackendOptions& options) {
  if (device == "reference") return MakeReferenceBackend();
  if (device == "cpu") return MakeCpuBackend(options);
  std::string names;
  for (std::string_view name : BackendNames()) {
    if (!names.empty()) names += ", ";
    names += name;
  }
  return InvalidField("device", "one of: " + names, device);
}

}  // namespace riesz
