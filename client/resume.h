// When a broken transfer goes on: after failures of the connection, with growing pauses, as long as
// bytes still get through. Internal to client/.
//
// Thread safety: one thread at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <thread>

#include "absl/status/status.h"

namespace riesz {

class ResumePolicy {
 public:
  // Beside a lost connection: an offset that the server sees otherwise (it has committed less than
  // was sent), and a writer that it has not yet noticed to be gone.
  static bool IsWorthResuming(const absl::Status& status) {
    return absl::IsUnavailable(status) || absl::IsOutOfRange(status) || absl::IsAborted(status);
  }

  // Sleeps before the next attempt; false after kAttempts in which `done_bytes` has not grown.
  bool Pause(int64_t done_bytes) {
    if (done_bytes > best_) {
      best_ = done_bytes;
      failures_ = 0;
    }
    if (++failures_ > kAttempts) return false;
    std::this_thread::sleep_for(kFirstPause * (1 << (failures_ - 1)));
    return true;
  }

 private:
  static constexpr int kAttempts = 5;
  static constexpr std::chrono::milliseconds kFirstPause{50};

  int64_t best_ = 0;
  int failures_ = 0;
};

}  // namespace riesz
