// Numbers as files hold them, turned into float32 while they are read.
//
// Thread safety: the functions touch only their arguments.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/dataset/byte_file.h"
#include "core/matrix.h"

namespace riesz {

enum class ElementType {
  kBool,
  kInt8,
  kUint8,
  kInt16,
  kUint16,
  kInt32,
  kUint32,
  kInt64,
  kUint64,
  kFloat16,
  kFloat32,
  kFloat64,
};

struct ElementFormat {
  ElementType type = ElementType::kFloat32;
  bool big_endian = false;
};

int64_t ElementBytes(ElementType type);
// NumPy's name, e.g. "float64".
std::string_view ElementName(ElementType type);

// rows * columns, each >= 1, within the service's bounds and kMaxDecodedBytes.
absl::Status CheckShape(const ByteFile& file, const std::vector<int64_t>& shape);

// Reads rows * columns elements in file order into a new matrix, each multiplied by `scale` (1
// leaves the bits alone). Takes memory only after ByteFile::CheckHolds. Doubles round to the
// nearest float32; a finite one beyond its range is INVALID_ARGUMENT. RESOURCE_EXHAUSTED without
// memory.
absl::StatusOr<Matrix> ReadElements(ByteFile& file, ElementFormat format, int64_t rows,
                                    int64_t columns, float scale);

// A matrix, and zeroed labels, that the file's watch is asked for first and whose allocation may
// fail: RESOURCE_EXHAUSTED instead of std::bad_alloc.
absl::StatusOr<Matrix> Allocate(const ByteFile& file, int64_t rows, int64_t columns);
absl::StatusOr<std::vector<int32_t>> AllocateLabels(const ByteFile& file, int64_t count);

// IEEE 754 binary16; exact.
float FloatFromHalf(uint16_t half);

}  // namespace riesz
