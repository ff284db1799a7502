// The oracle: plain loops over particles and slices, double accumulators, one thread. Other
// backends are compared with it; it is never chosen for its speed.
#pragma once

#include <memory>

#include "core/backend/backend.h"

namespace riesz {

std::unique_ptr<Backend> MakeReferenceBackend();

}  // namespace riesz
