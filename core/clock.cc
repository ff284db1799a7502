#include "core/clock.h"

namespace riesz {
namespace {

class SteadyClockImpl : public Clock {
 public:
  Time Now() const override { return std::chrono::steady_clock::now(); }
};

}  // namespace

const Clock& SteadyClock() {
  static const SteadyClockImpl clock;
  return clock;
}

}  // namespace riesz
