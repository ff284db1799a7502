#include "core/notes.h"

#include "absl/strings/str_cat.h"

namespace riesz {
namespace {

std::vector<std::string> NotesOnSlicedGradient(double exponent, int64_t dim) {
  if (exponent > 0.75 || dim == 1) return {};
  return {absl::StrCat("at exponent ", exponent,
                       " a slicing error of gradients is itself unreliable: at or below 0.75 its "
                       "estimate has infinite variance")};
}

}  // namespace

std::vector<std::string> NotesOn(const GradientSpec& spec, int64_t dim) {
  if (spec.method == Method::kExact) return {};
  return NotesOnSlicedGradient(spec.exponent, dim);
}

std::vector<std::string> NotesOn(const FlowSpec& spec, int64_t dim) {
  return NotesOnSlicedGradient(spec.exponent, dim);
}

}  // namespace riesz
