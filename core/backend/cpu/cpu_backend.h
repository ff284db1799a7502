// The fast backend on host processors: own panel products, vectorised sorting, own threads.
//
// The instruction set is chosen at run time (Highway): one binary runs on any x86-64.
#pragma once

#include <memory>

#include "core/backend/backend.h"
#include "core/backend/make_backend.h"

namespace riesz {

// Starts options.threads - 1 worker threads (0: AvailableThreads()).
std::unique_ptr<Backend> MakeCpuBackend(const BackendOptions& options);

}  // namespace riesz
