// A clock that only tests move.
//
// Thread safety: thread-safe.
#pragma once

#include <atomic>

#include "core/clock.h"

namespace riesz {

class FakeClock : public Clock {
 public:
  Time Now() const override { return Time(Time::duration(ticks_.load())); }
  void Advance(Time::duration by) { ticks_.fetch_add(by.count()); }

 private:
  // Not 0, so that a default-constructed time lies in the past.
  std::atomic<Time::rep> ticks_{Time::duration(std::chrono::hours(1)).count()};
};

}  // namespace riesz
