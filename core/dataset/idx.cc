#include <array>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/dataset/byte_file.h"
#include "core/dataset/elements.h"
#include "core/dataset/formats.h"
#include "core/status_macros.h"

namespace riesz {
namespace {

constexpr unsigned kMaxRank = 4;

std::optional<ElementType> TypeOf(std::byte code) {
  switch (std::to_integer<int>(code)) {
    case 0x08:
      return ElementType::kUint8;
    case 0x09:
      return ElementType::kInt8;
    case 0x0B:
      return ElementType::kInt16;
    case 0x0C:
      return ElementType::kInt32;
    case 0x0D:
      return ElementType::kFloat32;
    case 0x0E:
      return ElementType::kFloat64;
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<Dataset> ReadIdx(const std::string& path, const ReadWatch& watch) {
  RIESZ_ASSIGN_OR_RETURN(ByteFile file, ByteFile::Open(path, watch));
  std::array<std::byte, 4> magic;
  RIESZ_RETURN_IF_ERROR(file.Read(magic));
  const std::optional<ElementType> type = TypeOf(magic[2]);
  const auto rank = std::to_integer<unsigned>(magic[3]);
  if (magic[0] != std::byte{0} || magic[1] != std::byte{0} || !type || rank < 1 ||
      rank > kMaxRank) {
    return file.Error(absl::StrFormat("not an IDX file of rank 1 to 4 (begins %02x %02x %02x %02x)",
                                      std::to_integer<unsigned>(magic[0]),
                                      std::to_integer<unsigned>(magic[1]),
                                      std::to_integer<unsigned>(magic[2]), rank));
  }
  std::vector<int64_t> shape;
  for (unsigned axis = 0; axis < rank; ++axis) {
    std::array<std::byte, 4> size;
    RIESZ_RETURN_IF_ERROR(file.Read(size));
    int64_t value = 0;
    for (const std::byte b : size) value = value << 8 | std::to_integer<int64_t>(b);
    shape.push_back(value);
  }
  RIESZ_RETURN_IF_ERROR(CheckShape(file, shape));

  Dataset out;
  int64_t columns = 1;
  for (size_t axis = 1; axis < shape.size(); ++axis) columns *= shape[axis];
  const bool pixels = *type == ElementType::kUint8 && rank >= 3;
  if (pixels) out.scale = 1.0 / 255;
  out.shape = ImageShapeOf(shape);
  if (*type != ElementType::kFloat32 && *type != ElementType::kUint8) {
    out.converted_from = ElementName(*type);
  }
  RIESZ_ASSIGN_OR_RETURN(out.rows, ReadElements(file, {.type = *type, .big_endian = true}, shape[0],
                                                columns, static_cast<float>(out.scale)));
  RIESZ_RETURN_IF_ERROR(file.ExpectEnd());
  return out;
}

}  // namespace riesz
