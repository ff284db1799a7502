// The life of a flow as one pure function. Quanta are invisible: QUEUED is only before the first
// one.
//
//              kAdvance   kBegin     kRest    kFail     kReset
//   READY      QUEUED     -          -        -         -
//   QUEUED     QUEUED     RUNNING    READY    FAILED    -
//   RUNNING    RUNNING    -          READY    FAILED    -
//   FAILED     -          -          -        -         READY
//
// Thread safety: the functions are pure.
#pragma once

#include <optional>
#include <string_view>

#include "core/engine/requests.h"

namespace riesz {

enum class FlowEvent {
  kAdvance,  // steps were asked for
  kBegin,    // the first quantum
  kRest,     // target reached or cancelled, at a step boundary
  kFail,     // a step would make particles non-finite, or the device failed
  kReset,    // back to the last good step with velocity 0
};

// The phase after `event`; nothing where the event is not allowed (a dash above).
std::optional<FlowPhase> Next(FlowPhase phase, FlowEvent event);
// "READY" and so on.
std::string_view PhaseName(FlowPhase phase);

}  // namespace riesz
