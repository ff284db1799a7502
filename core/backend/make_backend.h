// Chooses a backend by name: the one place that knows which were built.
#pragma once

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "core/backend/backend.h"

namespace riesz {

struct BackendOptions {
  int threads = 0;  // 0: what the cgroup's quota and the affinity mask allow
};

// "reference" or "cpu". INVALID_ARGUMENT names the choices.
absl::StatusOr<std::unique_ptr<Backend>> MakeBackend(std::string_view device,
                                                     const BackendOptions& options = {});

// Processors this process may use: the smaller of the affinity mask and the cgroup's quota, at
// least
// 1. (hardware_concurrency knows neither.)
int AvailableThreads();

}  // namespace riesz
