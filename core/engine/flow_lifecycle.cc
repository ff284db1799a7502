#include "core/engine/flow_lifecycle.h"

namespace riesz {

std::optional<FlowPhase> Next(FlowPhase phase, FlowEvent event) {
  using enum FlowPhase;
  using enum FlowEvent;
  switch (phase) {
    case kReady:
      if (event == kAdvance) return kQueued;
      return std::nullopt;
    case kQueued:
      if (event == kAdvance) return kQueued;
      if (event == kBegin) return kRunning;
      if (event == kRest) return kReady;
      if (event == kFail) return kFailed;
      return std::nullopt;
    case kRunning:
      if (event == kAdvance) return kRunning;
      if (event == kRest) return kReady;
      if (event == kFail) return kFailed;
      return std::nullopt;
    case kFailed:
      if (event == kReset) return kReady;
      return std::nullopt;
  }
  return std::nullopt;
}

std::string_view PhaseName(FlowPhase phase) {
  switch (phase) {
    case FlowPhase::kReady:
      return "READY";
    case FlowPhase::kQueued:
      return "QUEUED";
    case FlowPhase::kRunning:
      return "RUNNING";
    case FlowPhase::kFailed:
      return "FAILED";
  }
  return "";
}

}  // namespace riesz
