#include "core/engine/interruption.h"

#include <string>

#include "core/error.h"

namespace riesz {

absl::Status DrainState::Error() {
  return WithDetail(absl::UnavailableError("the server is draining; retry elsewhere"),
                    {.reason = ErrorReason::kDraining, .metadata = {{"retry_after_ms", "1000"}}});
}

absl::Status Interruption::Explain(int64_t chunks_done, int64_t chunks_planned) const {
  const std::string done = chunks_planned == 0
                               ? "stopped before it began"
                               : "stopped after " + std::to_string(chunks_done) + " of " +
                                     std::to_string(chunks_planned) + " chunks";
  const std::map<std::string, std::string> chunks = {
      {"chunks_done", std::to_string(chunks_done)},
      {"chunks_planned", std::to_string(chunks_planned)}};
  if (stop_.stop_requested()) {
    return WithDetail(absl::CancelledError(done + ": the client went away"),
                      {.reason = ErrorReason::kCancelled, .metadata = chunks});
  }
  if (deadline_.has_value() && clock_->Now() >= *deadline_) {
    return WithDetail(absl::DeadlineExceededError(done + " at the client's deadline"),
                      {.reason = ErrorReason::kDeadline, .metadata = chunks});
  }
  return DrainState::Error();
}

}  // namespace riesz
