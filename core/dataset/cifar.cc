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

}  // namespace

absl::StatusOr<Dataset> ReadCifar10(const std::string& path) {
  RIESZ_ASSIGN_OR_RETURN(ByteFile file, ByteFile::Open(path));
  if (file.file_bytes() == 0 || file.file_bytes() % kRecordBytes != 0) {
    return file.Error(absl::StrCat("not a CIFAR-10 batch: ", file.file_bytes(),
                                   " bytes are no multiple of ", kRecordBytes));
  }
  const int64_t count = file.file_bytes() / kRecordBytes;
  RIESZ_RETURN_IF_ERROR(CheckShape(file, {count, 3, 32, 32}));
  Dataset out;
  out.shape = ImageShape{.channels = 3, .height = 32, .width = 32};
  out.scale = 1.0 / 255;
  RIESZ_ASSIGN_OR_RETURN(out.rows, Allocate(file, count, kPixels));
  out.labels.resize(static_cast<size_t>(count));
  std::array<std::byte, kRecordBytes> record;
  for (int64_t i = 0; i < count; ++i) {
    RIESZ_RETURN_IF_ERROR(file.Read(record));
    const int label = std::to_integer<int>(record[0]);
    if (label >= kClasses) {
      return file.Error(absl::StrCat("record ", i, ": label must be in [0, 9], got ", label));
    }
    out.labels[static_cast<size_t>(i)] = label;
    float* row = out.rows.row(i);
    for (int64_t k = 0; k < kPixels; ++k) {
      row[k] = static_cast<float>(std::to_integer<int>(record[static_cast<size_t>(k + 1)])) *
               static_cast<float>(out.scale);
    }
  }
  RIESZ_RETURN_IF_ERROR(file.ExpectEnd());
  return out;
}

}  // namespace riesz
