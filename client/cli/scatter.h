// Two coordinates of several sets of particles as dots in one coordinate system.
//
// Thread safety: the functions are pure.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/picture.h"
#include "core/matrix.h"

namespace riesz::cli {

struct Series {
  std::string label;
  MatrixView points;  // (n, d)
};

// Axes with ticks at 1, 2 or 5 times a power of ten, the same scale on both, a legend, one colour a
// series. Non-finite points are left out. INVALID_ARGUMENT when a series has no such coordinates.
absl::StatusOr<Picture> DrawScatter(const std::vector<Series>& series,
                                    std::pair<int64_t, int64_t> coordinates);

// Multiples of 1, 2 or 5 times a power of ten in [low, high], about `wanted` of them.
std::vector<double> Ticks(double low, double high, int wanted);
// A tick's label: as many decimals as its distance to the next one needs.
std::string TickLabel(double value, double spacing);

}  // namespace riesz::cli
