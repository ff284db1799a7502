// An 8-bit picture in memory, and its way into a PNG file.
//
// Thread safety: as for a standard container.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace riesz::cli {

struct Picture {
  int32_t width = 0, height = 0;
  int32_t channels = 1;         // 1 (grey) or 3 (RGB)
  std::vector<uint8_t> pixels;  // (height, width, channels)

  static Picture Filled(int32_t width, int32_t height, int32_t channels, uint8_t value);
  uint8_t* at(int32_t x, int32_t y) { return pixels.data() + (int64_t{y} * width + x) * channels; }
};

// Bound on one side of a picture and, squared, on its area.
inline constexpr int64_t kMaxPictureSide = 16384;

// Writes a temporary file first, then renames it. Errors name the path.
absl::Status WritePng(const std::string& path, const Picture& picture);

}  // namespace riesz::cli
