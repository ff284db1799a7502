// Watching a flow until it rests.
//
// Thread safety: one thread at a time.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/session.h"

namespace riesz::cli {

struct WatchOptions {
  std::string id;
  bool follow = false;      // go on when the flow rests
  bool json_lines = false;  // with -o json: one line a state
  double interval_s = 0.1;  // least time between two states
};

// The flow's last state. Shows step and target, steps/s, ETA and the energy distance. After an
// interruption the flow goes on, and a note says so; CANCELLED. FAILED_PRECONDITION with the
// server's reason for a flow that has failed.
absl::StatusOr<v1::Flow> Watch(Session& session, const WatchOptions& options);

}  // namespace riesz::cli
