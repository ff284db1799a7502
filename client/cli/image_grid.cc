#include "client/cli/image_grid.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "core/error.h"

namespace riesz::cli {
namespace {

constexpr int32_t kGap = 2;          // pixels between images
constexpr uint8_t kBackground = 32;  // tells a black image from the gap
constexpr int32_t kWantedHeight = 56;

// NaN becomes 0: a picture of a failed flow must still be drawn.
uint8_t ToByte(float value) {
  return value > 0 ? static_cast<uint8_t>(std::lround(std::min(value, 1.0f) * 255)) : 0;
}

void DrawImage(const float* image, const GridLayout& layout, int32_t left, int32_t top,
               Picture& picture) {
  const ImageShape& shape = layout.shape;
  const int64_t plane = int64_t{shape.height} * shape.width;
  for (int32_t y = 0; y < shape.height * layout.zoom; ++y) {
    for (int32_t x = 0; x < shape.width * layout.zoom; ++x) {
      const int64_t from = int64_t{y / layout.zoom} * shape.width + x / layout.zoom;
      uint8_t* const to = picture.at(left + x, top + y);
      for (int32_t c = 0; c < shape.channels; ++c) to[c] = ToByte(image[c * plane + from]);
    }
  }
}

}  // namespace

int32_t DefaultZoom(const ImageShape& shape) { return std::max(1, kWantedHeight / shape.height); }

absl::StatusOr<Picture> DrawGrid(const std::vector<MatrixView>& sources, const GridLayout& layout) {
  const ImageShape& shape = layout.shape;
  const int64_t dim = int64_t{shape.channels} * shape.height * shape.width;
  int64_t lines = 0;
  int64_t columns = 0;
  for (const MatrixView& source : sources) {
    if (source.cols != dim) {
      return InvalidField("--shape", absl::StrCat("of ", source.cols, " values, as the particles"),
                          absl::StrCat(shape.channels, "x", shape.height, "x", shape.width));
    }
    lines += (source.rows + layout.columns - 1) / layout.columns;
    columns = std::max(columns, std::min(source.rows, layout.columns));
  }
  const int64_t cell_width = int64_t{shape.width} * layout.zoom + kGap;
  const int64_t cell_height = int64_t{shape.height} * layout.zoom + kGap;
  const int64_t width = columns * cell_width + kGap;
  const int64_t height = lines * cell_height + kGap;
  if (width > kMaxPictureSide || height > kMaxPictureSide) {
    return InvalidField("the picture", absl::StrCat("at most ", kMaxPictureSide, " pixels a side"),
                        absl::StrCat(width, "x", height));
  }
  Picture picture = Picture::Filled(static_cast<int32_t>(width), static_cast<int32_t>(height),
                                    shape.channels, kBackground);
  int64_t line = 0;
  for (const MatrixView& source : sources) {
    for (int64_t i = 0; i < source.rows; ++i) {
      DrawImage(source.row(i).data(), layout,
                static_cast<int32_t>(kGap + i % layout.columns * cell_width),
                static_cast<int32_t>(kGap + (line + i / layout.columns) * cell_height), picture);
    }
    line += (source.rows + layout.columns - 1) / layout.columns;
  }
  return picture;
}

}  // namespace riesz::cli
