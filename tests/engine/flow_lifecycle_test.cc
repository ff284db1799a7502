#include "core/engine/flow_lifecycle.h"

#include <gtest/gtest.h>

#include <map>

namespace riesz {
namespace {

using enum FlowPhase;
using enum FlowEvent;

// The header's table, written a second time by hand; pairs that are not here are not allowed.
const std::map<std::pair<FlowPhase, FlowEvent>, FlowPhase> kTable = {
    {{kReady, kAdvance}, kQueued}, {{kQueued, kAdvance}, kQueued}, {{kQueued, kBegin}, kRunning},
    {{kQueued, kRest}, kReady},    {{kQueued, kFail}, kFailed},    {{kRunning, kAdvance}, kRunning},
    {{kRunning, kRest}, kReady},   {{kRunning, kFail}, kFailed},   {{kFailed, kReset}, kReady},
};

TEST(FlowLifecycleTest, EveryPairOfPhaseAndEventDoesWhatTheTableSays) {
  for (const FlowPhase phase : {kReady, kQueued, kRunning, kFailed}) {
    for (const FlowEvent event : {kAdvance, kBegin, kRest, kFail, kReset}) {
      const auto expected = kTable.find({phase, event});
      const auto next = Next(phase, event);
      ASSERT_EQ(next.has_value(), expected != kTable.end())
          << PhaseName(phase) << ", event " << static_cast<int>(event);
      if (next.has_value()) {
        EXPECT_EQ(*next, expected->second);
      }
    }
  }
}

}  // namespace
}  // namespace riesz
