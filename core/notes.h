// What a caller should know about results of a valid spec, in sentences.
//
// Thread safety: the functions are pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/discrepancy_spec.h"
#include "core/flow_spec.h"

namespace riesz {

// Of sliced gradients at r <= 3/4: h^4 has no finite mean, so that the spread of slices tells
// little of their mean's error. In one dimension there is no slicing error.
std::vector<std::string> NotesOn(const GradientSpec& spec, int64_t dim);
std::vector<std::string> NotesOn(const FlowSpec& spec, int64_t dim);

}  // namespace riesz
