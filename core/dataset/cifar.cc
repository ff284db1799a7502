#include <array>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "core/dataset/byte_file.h"
#include "core/dataset/elements.h"
#include "core/dataset/formats.h"
#include "core/status_macros.h"

namespace riesz {
namespace {

constexpr int64_t kPixels = 3 * 32 * 32;
constexpr int64_t kRecordBytes = 1 + kPixels;
constexpr int kClasses = 10;

// Opens a batch and adds its records to `count`.
absl::StatusOr<ByteFile> OpenBatch(const std::string& path, const ReadWatch& watch,
                                   int64_t& count) {
  RIESZ_ASSIGN_OR_RETURN(ByteFile file, ByteFile::Open(path, watch));
  if (file.file_bytes() == 0 || file.file_bytes() % kRecordBytes != 0) {
    return file.Error(absl::StrCat("not a CIFAR-10 batch: ", file.file_bytes(),
                                   " bytes are no multiple of ", kRecordBytes));
  }
  count += file.file_bytes() / kRecordBytes;
  RIESZ_RETURN_IF_ERROR(CheckShape(file, {count, 3, 32, 32}));
  return file;
}

// Reads a whole batch into rows and labels from `row` on.
absl::Status ReadRecords(ByteFile& file, int64_t row, Dataset& out) {
  std::array<std::byte, kRecordBytes> record;
  const int64_t count = file.file_bytes() / kRecordBytes;
  for (int64_t i = 0; i < count; ++i) {
    RIESZ_RETURN_IF_ERROR(file.Read(record));
    const int label = std::to_integer<int>(record[0]);
    if (label >= kClasses) {
      return file.Error(absl::StrCat("record ", i, ": label must be in [0, 9], got ", label));
    }
    out.labels[static_cast<size_t>(row + i)] = label;
    float* pixels = out.rows.row(row + i);
    for (int64_t k = 0; k < kPixels; ++k) {
      pixels[k] = static_cast<float>(std::to_integer<int>(record[static_cast<size_t>(k + 1)])) *
                  static_cast<float>(out.scale);
    }
  }
  return file.ExpectEnd();
}

}  // namespace

absl::StatusOr<Dataset> ReadCifar10(const std::vector<std::string>& paths, const ReadWatch& watch) {
  std::vector<ByteFile> files;
  int64_t count = 0;
  for (const std::string& path : paths) {
    RIESZ_ASSIGN_OR_RETURN(ByteFile file, OpenBatch(path, watch, count));
    files.push_back(std::move(file));
  }
  Dataset out;
  out.shape = ImageShape{.channels = 3, .height = 32, .width = 32};
  out.scale = 1.0 / 255;
  RIESZ_ASSIGN_OR_RETURN(out.rows, Allocate(files[0], count, kPixels));
  RIESZ_ASSIGN_OR_RETURN(out.labels, AllocateLabels(files[0], count));
  int64_t row = 0;
  for (ByteFile& file : files) {
    RIESZ_RETURN_IF_ERROR(ReadRecords(file, row, out));
    row += file.file_bytes() / kRecordBytes;
  }
  return out;
}

}  // namespace riesz
