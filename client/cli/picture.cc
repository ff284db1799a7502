#include "client/cli/picture.h"

#include <png.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "absl/strings/str_cat.h"

namespace riesz::cli {

Picture Picture::Filled(int32_t width, int32_t height, int32_t channels, uint8_t value) {
  Picture out{.width = width, .height = height, .channels = channels, .pixels = {}};
  out.pixels.assign(static_cast<size_t>(int64_t{width} * height * channels), value);
  return out;
}

absl::Status WritePng(const std::string& path, const Picture& picture) {
  const std::string temporary = absl::StrCat(path, ".", getpid(), ".tmp");
  std::FILE* const file = std::fopen(temporary.c_str(), "wbx");
  if (file == nullptr) {
    const int error = errno;
    return absl::ErrnoToStatus(error, path);
  }
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(picture.width);
  image.height = static_cast<png_uint_32>(picture.height);
  image.format = picture.channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  const bool encoded =
      png_image_write_to_stdio(&image, file, 0, picture.pixels.data(), 0, nullptr) != 0;
  const std::string message = encoded ? "" : image.message;
  const bool closed = std::fclose(file) == 0;
  if (encoded && closed && std::rename(temporary.c_str(), path.c_str()) == 0) {
    return absl::OkStatus();
  }
  const int error = errno;
  std::remove(temporary.c_str());
  if (!encoded) return absl::InternalError(absl::StrCat(path, ": ", message));
  return absl::ErrnoToStatus(error, path);
}

}  // namespace riesz::cli
