// Flows as text.
//
// Thread safety: the functions are pure.
#pragma once

#include <string>

#include "riesz/v1/flow_service.pb.h"

namespace riesz::cli {

// "READY", "RUNNING", ...
std::string StateName(v1::FlowState state);
// "flow 'f': READY at step 400 of 400, energy distance 1.23 ± 0.04 at step 399".
std::string FlowLine(const v1::Flow& flow);
// Every field, one a line.
std::string FlowText(const v1::Flow& flow);
std::string FlowTable(const v1::ListFlowsResponse& list);
// "energy distance 1.23 ± 0.04", or nothing before the first measurement.
std::string MeasurementText(const v1::Flow& flow);

}  // namespace riesz::cli
