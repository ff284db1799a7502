// The options that say along which directions to slice.
//
// Thread safety: one thread at a time.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "riesz/v1/particles.pb.h"

namespace riesz::cli {

struct DirectionOptions {
  std::string kind;
  std::optional<int64_t> count;
  std::optional<uint64_t> seed;

  bool given() const { return !kind.empty() || count.has_value(); }
};

void DeclareDirections(CLI::App& sub, DirectionOptions& options, const char* default_count);
// What was given overwrites what is there.
absl::Status FillDirections(const DirectionOptions& options, v1::Directions* directions);
// "1000 orthogonal slices, seed 7".
std::string DirectionsText(const v1::Directions& directions, int64_t slices);

}  // namespace riesz::cli
