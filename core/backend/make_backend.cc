#include "core/backend/make_backend.h"

#include <charconv>
#include <string>

#include "core/backend/cpu/cpu_backend.h"
#include "core/backend/load_cuda.h"
#include "core/backend/reference/reference_backend.h"
#include "core/error.h"

namespace riesz {

std::vector<std::string_view> BackendNames() { return {"reference", "cpu"}; }

std::optional<int> GpuNamed(std::string_view device) {
  constexpr std::string_view kPrefix = "cuda";
  if (!device.starts_with(kPrefix)) return std::nullopt;
  device.remove_prefix(kPrefix.size());
  if (device.empty()) return 0;
  int gpu = 0;
  const char* end = device.data() + device.size();
  if (device.front() != ':') return std::nullopt;
  const auto [rest, error] = std::from_chars(device.data() + 1, end, gpu);
  if (error != std::errc() || rest != end || gpu < 0) return std::nullopt;
  return gpu;
}

absl::StatusOr<std::unique_ptr<Backend>> MakeBackend(std::string_view device,
                                                     const BackendOptions& options) {
  if (device == "reference") return MakeReferenceBackend();
  if (device == "cpu") return MakeCpuBackend(options);
  if (const std::optional<int> gpu = GpuNamed(device)) return LoadCudaBackend(*gpu, options);
  std::string names;
  for (std::string_view name : BackendNames()) {
    if (!names.empty()) names += ", ";
    names += name;
  }
  return InvalidField("device", "one of: " + names + ", cuda:N", device);
}

}  // namespace riesz
