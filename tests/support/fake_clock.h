// A clock that only tests move, and where they say so also whoever looks at it.
//
// Thread safety: thread-safe.
#pragma once

#include <atomic>

#include "core/clock.h"

namespace riesz {

class FakeClock : public Clock {
 public:
  Time Now() const override { return Time(Time::duration(ticks_.fetch_add(per_look_.load()))); }
  void Advance(Time::duration by) { ticks_.fetch_add(by.count()); }
  // From now on every look moves it by this.
  void MoveWithEveryLook(Time::duration by) { per_look_.store(by.count()); }

 private:
  // Not 0, so that a default-constructed time lies in the past.
  mutable std::atomic<Time::rep> ticks_{Time::duration(std::chrono::hours(1)).count()};
  std::atomic<Time::rep> per_look_{0};
};

}  // namespace riesz
