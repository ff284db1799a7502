#include "core/engine/outcome.h"

#include "absl/strings/ascii.h"

namespace riesz {

std::string OutcomeName(const absl::Status& status) {
  return absl::AsciiStrToLower(absl::StatusCodeToString(status.code()));
}

}  // namespace riesz
