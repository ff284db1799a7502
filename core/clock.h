// Monotonic time, injectable so that tests count chunks and move time by hand.
//
// Thread safety: every implementation is thread-safe.
#pragma once

#include <chrono>

namespace riesz {

class Clock {
 public:
  using Time = std::chrono::steady_clock::time_point;
  virtual ~Clock() = default;
  virtual Time Now() const = 0;
};

// The machine's steady clock; lives as long as the process.
const Clock& SteadyClock();

}  // namespace riesz
