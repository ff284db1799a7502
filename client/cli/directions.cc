#include "client/cli/directions.h"

#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "core/error.h"
#include "core/status_macros.h"
#include "core/validate.h"

namespace riesz::cli {

void DeclareDirections(CLI::App& sub, DirectionOptions& options, const char* default_count) {
  sub.add_option(
      "--directions", options.kind,
      "orthogonal, iid, low-discrepancy (d <= 30) or structured (d >= 16); default: orthogonal "
      "for d > 2, low-discrepancy for d = 2");
  sub.add_option("--slices", options.count,
                 absl::StrCat("Number of directions; default ", default_count));
  sub.add_option("--seed", options.seed,
                 "Of the directions; default: chosen by the server and named in the answer");
}

absl::Status FillDirections(const DirectionOptions& options, v1::Directions* directions) {
  if (!options.kind.empty()) {
    RIESZ_ASSIGN_OR_RETURN(const v1::DirectionKind kind, ParseDirectionKind(options.kind));
    directions->set_kind(kind);
  }
  if (options.count) {
    // On the wire 0 stands for the default, on a command line it is a mistake.
    if (*options.count == 0) {
      return InvalidField("directions.count", absl::StrCat("in [1, ", kMaxSlices, "]"), "0");
    }
    directions->set_count(*options.count);
  }
  if (options.seed) directions->set_seed(*options.seed);
  return absl::OkStatus();
}

namespace {

const char* KindText(v1::DirectionKind kind) {
  switch (kind) {
    case v1::DIRECTION_KIND_IID:
      return "iid ";
    case v1::DIRECTION_KIND_ORTHOGONAL:
      return "orthogonal ";
    case v1::DIRECTION_KIND_LOW_DISCREPANCY:
      return "low-discrepancy ";
    case v1::DIRECTION_KIND_STRUCTURED:
      return "structured ";
    default:
      return "";  // of a newer server
  }
}

}  // namespace

std::string DirectionsText(const v1::Directions& directions, int64_t slices) {
  return absl::StrCat(slices, " ", KindText(directions.kind()), slices == 1 ? "slice" : "slices",
                      ", seed ", directions.seed());
}

}  // namespace riesz::cli
