// Chooses a backend by name: the one place that knows which were built.
//
// Thread safety: the functions are thread-safe.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "core/available_threads.h"  // the default of BackendOptions::threads
#include "core/backend/backend.h"

namespace riesz {

struct BackendOptions {
  int threads = 0;  // 0: AvailableThreads()
};

// The names that MakeBackend takes.
std::vector<std::string_view> BackendNames();

// "reference" or "cpu". INVALID_ARGUMENT names the choices.
absl::StatusOr<std::unique_ptr<Backend>> MakeBackend(std::string_view device,
                                                     const BackendOptions& options = {});

}  // namespace riesz
