#include "core/termination_signals.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <thread>

namespace riesz {
namespace {

TEST(TerminationSignals, ReachTheWaiterWhicheverThreadTakesThem) {
  const TerminationSignals signals;
  for (const int number : {SIGINT, SIGTERM}) {
    std::thread([number] { pthread_kill(pthread_self(), number); }).join();
    EXPECT_EQ(signals.Wait(), number);
  }
}

TEST(TerminationSignals, AreKeptUntilSomebodyWaits) {
  const TerminationSignals signals;
  raise(SIGTERM);
  raise(SIGINT);
  EXPECT_EQ(signals.Wait(), SIGTERM);
  EXPECT_EQ(signals.Wait(), SIGINT);
}

}  // namespace
}  // namespace riesz
