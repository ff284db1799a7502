#include "core/dataset/byte_file.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"

namespace riesz {
namespace {

constexpr int64_t kLargestDeflateRatio =
    1032;                                    // zlib's documentation, "maximum compression factor"
constexpr unsigned kBufferBytes = 64 << 10;  // zlib keeps one of these and one twice as large
constexpr int64_t kTileBytes = int64_t{1} << 20;  // a millisecond or two, also of unpacking

}  // namespace

absl::StatusOr<ByteFile> ByteFile::Open(const std::string& path, const ReadWatch& watch) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) {
    const int error = errno;
    return absl::ErrnoToStatus(error, path);
  }
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": not a regular file"));
  }
  const gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) {
    const int error = errno;
    return absl::ErrnoToStatus(error, path);
  }
  gzbuffer(file, kBufferBytes);
  return ByteFile(path, watch, info.st_size, file);
}

absl::Status ByteFile::Read(std::span<std::byte> out) {
  while (!out.empty()) {
    const auto wanted = static_cast<unsigned>(std::min(out.size(), size_t{kTileBytes}));
    const int got = gzread(file_.get(), out.data(), wanted);
    // A compressed stream that stops in its middle still hands out what it could unpack; gzerror
    // tells that apart from a clean end.
    int code = Z_OK;
    const char* text = gzerror(file_.get(), &code);
    if (got < 0 || (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)) {
      return Error(absl::StrCat("cannot be read: ", text));
    }
    offset_ += got;
    out = out.subspan(static_cast<size_t>(got));
    if (static_cast<unsigned>(got) < wanted) {
      return Error(absl::StrCat("the file ends here; ", out.size(), " more bytes were announced"));
    }
    RIESZ_RETURN_IF_ERROR(Worked(got));
  }
  return absl::OkStatus();
}

absl::Status ByteFile::Worked(int64_t bytes) {
  unasked_bytes_ += bytes;
  if (unasked_bytes_ < kTileBytes) return absl::OkStatus();
  unasked_bytes_ = 0;
  return watch_.Proceed();
}

absl::Status ByteFile::ExpectEnd() {
  // At the end zlib also checks a compressed stream's own checksum.
  char extra = 0;
  const int got = gzread(file_.get(), &extra, 1);
  if (got == 0) {
    int code = Z_OK;
    const char* text = gzerror(file_.get(), &code);
    if (code == Z_OK || code == Z_STREAM_END) return absl::OkStatus();
    return Error(absl::StrCat("cannot be read: ", text));
  }
  if (got < 0) return Error("is corrupt");
  return Error("there is more in the file than its header announces");
}

absl::Status ByteFile::CheckHolds(int64_t bytes) const {
  const bool plain = gzdirect(file_.get()) != 0;
  const int64_t most = plain ? file_bytes_ - offset_ : file_bytes_ * kLargestDeflateRatio;
  if (bytes <= most) return absl::OkStatus();
  return Error(absl::StrCat("the header announces ", bytes, " bytes of data, ",
                            plain ? "the file has " : "the compressed file can have at most ",
                            most));
}

absl::Status ByteFile::Error(const std::string& what) const {
  return absl::InvalidArgumentError(absl::StrCat(path_, ": byte ", offset_, ": ", what));
}

}  // namespace riesz
