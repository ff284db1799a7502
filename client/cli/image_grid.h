// Particles that are images, drawn side by side.
//
// Thread safety: the functions are pure.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/picture.h"
#include "core/dataset/dataset.h"
#include "core/matrix.h"

namespace riesz::cli {

struct GridLayout {
  ImageShape shape;
  int64_t columns = 10;
  int32_t zoom = 1;  // pixels a side for each pixel of an image
};

// The zoom at which an image is about 56 pixels high.
int32_t DefaultZoom(const ImageShape& shape);

// Draws rows of images, (count, channels * height * width) each; values are clamped to [0, 1]. Each
// source begins a new line of the grid. INVALID_ARGUMENT when the shape does not fit a source's
// dimension or the picture would be too large.
absl::StatusOr<Picture> DrawGrid(const std::vector<MatrixView>& sources, const GridLayout& layout);

}  // namespace riesz::cli
