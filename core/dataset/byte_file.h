// A file read from front to back, plain or gzip-compressed; which of the two is found by its first
// bytes.
//
// Thread safety: one thread at a time. Owns its file handle and a fixed 128 KiB of buffers: what a
// compressed file unpacks to never lies in memory here.
#pragma once

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/dataset/read_watch.h"

namespace riesz {

// What one file may become in memory, as float32. A header that claims more is refused.
inline constexpr int64_t kMaxDecodedBytes = int64_t{1} << 36;  // 64 GiB

class ByteFile {
 public:
  // NOT_FOUND; INVALID_ARGUMENT for what is not a regular file; PERMISSION_DENIED.
  static absl::StatusOr<ByteFile> Open(const std::string& path, const ReadWatch& watch);

  // Fills `out`. INVALID_ARGUMENT with path and byte when the file ends before or is corrupt; the
  // watch's error where it ends the reading.
  absl::Status Read(std::span<std::byte> out);
  // To be called with the bytes that were just worked on, beside Read, which does so itself: asks
  // the watch once a mebibyte.
  absl::Status Worked(int64_t bytes);
  // Asks the watch for memory that is about to be taken.
  absl::Status Reserve(int64_t bytes) const { return watch_.Reserve(bytes); }
  // INVALID_ARGUMENT unless everything was read.
  absl::Status ExpectEnd();
  // INVALID_ARGUMENT when `bytes` more cannot be in this file: called before memory is taken for
  // what a header claims. Deflate expands by at most 1032, which bounds a compressed file's claim.
  absl::Status CheckHolds(int64_t bytes) const;
  // INVALID_ARGUMENT "<path>: byte <offset>: <what>".
  absl::Status Error(const std::string& what) const;

  const std::string& path() const { return path_; }
  int64_t file_bytes() const { return file_bytes_; }

 private:
  struct Close {
    void operator()(gzFile file) const { gzclose(file); }
  };
  ByteFile(std::string path, const ReadWatch& watch, int64_t file_bytes, gzFile file)
      : path_(std::move(path)), watch_(watch), file_bytes_(file_bytes), file_(file) {}

  std::string path_;
  ReadWatch watch_;
  int64_t file_bytes_;
  int64_t offset_ = 0;         // unpacked bytes read
  int64_t unasked_bytes_ = 0;  // worked on since the watch was asked
  std::unique_ptr<gzFile_s, Close> file_;
};

}  // namespace riesz
