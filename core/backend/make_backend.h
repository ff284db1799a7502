// Chooses a backend by name: the one place that knows which were built.
#pragma once

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "core/available_threads.h"  // the default of BackendOptions::threads
#include "core/backend/backend.h"

namespace riesz {

struct BackendOptions {
  int threads = 0;  // 0: AvailableThreads()
};

// "reference" or "cpu". INVALID_ARGUMENT names the choices.
absl::StatusOr<std::unique_ptr<Backend>> MakeBackend(std::string_view device,
                                                     const BackendOptions& options = {});

}  // namespace riesz
