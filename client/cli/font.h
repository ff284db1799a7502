// Text in pictures: the printable ASCII characters, five dots wide and seven high.
//
// Thread safety: the functions touch only their arguments.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "client/cli/picture.h"

namespace riesz::cli {

using Color = std::array<uint8_t, 3>;

inline constexpr int32_t kGlyphWidth = 6;  // with the gap to the next
inline constexpr int32_t kGlyphHeight = 7;

// Pixels that the text is wide at a zoom; other characters than printable ASCII count as '?'.
int32_t TextWidth(const std::string& text, int32_t zoom);
// Draws on an RGB picture, clipped at its borders.
void DrawText(Picture& picture, const std::string& text, int32_t left, int32_t top, int32_t zoom,
              Color color);

}  // namespace riesz::cli
