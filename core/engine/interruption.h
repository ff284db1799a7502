// Why a call's work must stop before it is done: its caller left, its deadline passed, or the
// engine drains. Merged into every operation's budget and stop token, so that it takes effect at
// the next chunk.
//
// Thread safety: thread-safe.
#pragma once

#include <algorithm>
#include <atomic>
#include <stop_token>

#include "absl/status/status.h"
#include "core/clock.h"
#include "core/engine/requests.h"

namespace riesz {

// The engine's own end; shared by all its work.
class DrainState {
 public:
  void Begin(Clock::Time deadline) {
    deadline_.store(deadline.time_since_epoch().count());
    draining_.store(true);
  }
  bool draining() const { return draining_.load(); }
  // Computations may go on until then.
  Clock::Time deadline() const { return Clock::Time(Clock::Time::duration(deadline_.load())); }
  // UNAVAILABLE (DRAINING).
  static absl::Status Error();

 private:
  std::atomic<bool> draining_{false};
  std::atomic<Clock::Time::rep> deadline_{Clock::Time::max().time_since_epoch().count()};
};

class Interruption {
 public:
  // `clock` and `drain` must outlive it.
  Interruption(const CallContext& context, const Clock& clock, const DrainState& drain)
      : stop_(context.stop), deadline_(context.deadline), clock_(&clock), drain_(&drain) {}

  bool Due() const { return stop_.stop_requested() || clock_->Now() >= End(); }
  // When to hand back a budget that ends at `quantum_end`.
  Clock::Time Before(Clock::Time quantum_end) const { return std::min(quantum_end, End()); }
  const std::stop_token& stop() const { return stop_; }
  // CANCELLED, DEADLINE_EXCEEDED or UNAVAILABLE, with the chunks done and planned (0 planned:
  // it had not begun). Requires Due().
  absl::Status Explain(int64_t chunks_done, int64_t chunks_planned) const;

 private:
  Clock::Time End() const {
    return std::min(deadline_.value_or(Clock::Time::max()), drain_->deadline());
  }

  std::stop_token stop_;
  std::optional<Clock::Time> deadline_;
  const Clock* clock_;
  const DrainState* drain_;
};

}  // namespace riesz
