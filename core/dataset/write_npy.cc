#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "core/dataset/dataset.h"

namespace riesz {
namespace {

std::string NpyHeader(std::string_view descr, const std::string& shape) {
  std::string header = absl::StrCat("{'descr': '", std::string(descr),
                                    "', 'fortran_order': False, 'shape': ", shape, ", }");
  // The data begins at a multiple of 64, so that it can be mapped and read by aligned loads.
  constexpr size_t kPrefix = 10;
  header.append(63 - (kPrefix + header.size()) % 64, ' ');
  header += '\n';
  std::string out("\x93NUMPY\x01\x00", 8);
  out += static_cast<char>(header.size() & 255);
  out += static_cast<char>(header.size() >> 8);
  return out + header;
}

// fclose tells of a full disk too, so each of the three must succeed before the rename.
absl::Status WriteFile(const std::string& path, const std::string& header, const void* data,
                       size_t bytes) {
  const std::string temporary = absl::StrCat(path, ".", getpid(), ".tmp");
  std::FILE* const file = std::fopen(temporary.c_str(), "wbx");
  if (file == nullptr) {
    const int error = errno;
    return absl::ErrnoToStatus(error, path);
  }
  bool written = std::fwrite(header.data(), 1, header.size(), file) == header.size() &&
                 std::fwrite(data, 1, bytes, file) == bytes;
  int error = errno;
  if (std::fclose(file) != 0 && written) {
    written = false;
    error = errno;
  }
  if (written && std::rename(temporary.c_str(), path.c_str()) == 0) return absl::OkStatus();
  if (written) error = errno;
  std::remove(temporary.c_str());
  return absl::ErrnoToStatus(error, path);
}

}  // namespace

absl::Status WriteNpy(const std::string& path, MatrixView rows) {
  const std::string shape = absl::StrCat("(", rows.rows, ", ", rows.cols, ")");
  return WriteFile(path, NpyHeader("<f4", shape), rows.data,
                   static_cast<size_t>(rows.size()) * sizeof(float));
}

absl::Status WriteNpy(const std::string& path, const std::vector<int32_t>& labels) {
  const std::string shape = absl::StrCat("(", labels.size(), ",)");
  return WriteFile(path, NpyHeader("<i4", shape), labels.data(), labels.size() * sizeof(int32_t));
}

}  // namespace riesz
