// How metrics name the end of a computation.
//
// Thread safety: the function is pure.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace riesz {

// "ok", "cancelled", "deadline_exceeded" and so on.
std::string OutcomeName(const absl::Status& status);

}  // namespace riesz
