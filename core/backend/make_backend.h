// Chooses a backend by name: the one place that knows which were built.
//
// Thread safety: the functions are thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "core/available_threads.h"  // the default of BackendOptions::threads
#include "core/backend/backend.h"
#include "core/backend/matrix_precision.h"

namespace riesz {

struct BackendOptions {
  int threads = 0;                                            // 0: AvailableThreads()
  MatrixPrecision matrix_precision = MatrixPrecision::kFp32;  // read by cuda
};

// The names that MakeBackend takes on every machine.
std::vector<std::string_view> BackendNames();

// The number N of "cuda:N", 0 for "cuda"; nothing for any other name.
std::optional<int> GpuNamed(std::string_view device);

// "reference", "cpu", or "cuda:N" (the GPU with number N; "cuda" is the first). INVALID_ARGUMENT
// names the choices; NOT_FOUND when there is no such GPU, with what is missing.
absl::StatusOr<std::unique_ptr<Backend>> MakeBackend(std::string_view device,
                                                     const BackendOptions& options = {});

}  // namespace riesz
