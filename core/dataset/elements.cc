#include "core/dataset/elements.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <new>
#include <span>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "core/validate.h"

namespace riesz {
namespace {

static_assert(std::endian::native == std::endian::little, "files and wire are little-endian");

constexpr int64_t kChunkBytes = 1 << 20;

// Index within the chunk of the first element that float32 cannot hold, or -1.
template <typename T>
int64_t Decode(std::span<const std::byte> bytes, bool big_endian, float scale, float* out) {
  const auto n = static_cast<int64_t>(bytes.size() / sizeof(T));
  for (int64_t i = 0; i < n; ++i) {
    std::byte raw[sizeof(T)];
    std::memcpy(raw, bytes.data() + i * sizeof(T), sizeof(T));
    if (big_endian) std::reverse(raw, raw + sizeof(T));
    T value;
    std::memcpy(&value, raw, sizeof(T));
    const auto narrowed = static_cast<float>(value);
    if (std::isinf(narrowed) && std::isfinite(static_cast<double>(value))) return i;
    out[i] = scale == 1 ? narrowed : narrowed * scale;
  }
  return -1;
}

int64_t DecodeHalf(std::span<const std::byte> bytes, bool big_endian, float scale, float* out) {
  for (size_t i = 0; 2 * i < bytes.size(); ++i) {
    const auto first = std::to_integer<unsigned>(bytes[2 * i]);
    const auto second = std::to_integer<unsigned>(bytes[2 * i + 1]);
    const unsigned half = big_endian ? first << 8 | second : second << 8 | first;
    out[i] = FloatFromHalf(static_cast<uint16_t>(half)) * scale;
  }
  return -1;
}

int64_t DecodeChunk(ElementFormat format, std::span<const std::byte> bytes, float scale,
                    float* out) {
  const bool big = format.big_endian;
  switch (format.type) {
    case ElementType::kBool:
    case ElementType::kUint8:
      return Decode<uint8_t>(bytes, big, scale, out);
    case ElementType::kInt8:
      return Decode<int8_t>(bytes, big, scale, out);
    case ElementType::kInt16:
      return Decode<int16_t>(bytes, big, scale, out);
    case ElementType::kUint16:
      return Decode<uint16_t>(bytes, big, scale, out);
    case ElementType::kInt32:
      return Decode<int32_t>(bytes, big, scale, out);
    case ElementType::kUint32:
      return Decode<uint32_t>(bytes, big, scale, out);
    case ElementType::kInt64:
      return Decode<int64_t>(bytes, big, scale, out);
    case ElementType::kUint64:
      return Decode<uint64_t>(bytes, big, scale, out);
    case ElementType::kFloat16:
      return DecodeHalf(bytes, big, scale, out);
    case ElementType::kFloat32:
      return Decode<float>(bytes, big, scale, out);
    case ElementType::kFloat64:
      return Decode<double>(bytes, big, scale, out);
  }
  return -1;
}

}  // namespace

int64_t ElementBytes(ElementType type) {
  switch (type) {
    case ElementType::kBool:
    case ElementType::kInt8:
    case ElementType::kUint8:
      return 1;
    case ElementType::kInt16:
    case ElementType::kUint16:
    case ElementType::kFloat16:
      return 2;
    case ElementType::kInt32:
    case ElementType::kUint32:
    case ElementType::kFloat32:
      return 4;
    case ElementType::kInt64:
    case ElementType::kUint64:
    case ElementType::kFloat64:
      return 8;
  }
  return 0;
}

std::string_view ElementName(ElementType type) {
  switch (type) {
    case ElementType::kBool:
      return "bool";
    case ElementType::kInt8:
      return "int8";
    case ElementType::kUint8:
      return "uint8";
    case ElementType::kInt16:
      return "int16";
    case ElementType::kUint16:
      return "uint16";
    case ElementType::kInt32:
      return "int32";
    case ElementType::kUint32:
      return "uint32";
    case ElementType::kInt64:
      return "int64";
    case ElementType::kUint64:
      return "uint64";
    case ElementType::kFloat16:
      return "float16";
    case ElementType::kFloat32:
      return "float32";
    case ElementType::kFloat64:
      return "float64";
  }
  return "";
}

absl::Status CheckShape(const ByteFile& file, const std::vector<int64_t>& shape) {
  if (shape.empty()) return file.Error("a single number is not a set of particles");
  int64_t elements = 1;
  int64_t columns = 1;
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    const int64_t size = shape[axis];
    const int64_t most = axis == 0 ? kMaxCount : kMaxDim;
    // Each factor is at most 2^30 and the product so far at most 2^40: no overflow.
    if (size < 1 || size > most) {
      return file.Error(absl::StrCat("axis ", axis, " must be in [1, ", most, "], got ", size));
    }
    elements *= size;
    if (axis > 0) columns *= size;
    if (elements > kMaxElements || elements * 4 > kMaxDecodedBytes || columns > kMaxDim) {
      return file.Error(absl::StrCat("the shape is beyond ", kMaxDecodedBytes >> 30, " GiB or ",
                                     kMaxDim, " coordinates"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Matrix> Allocate(const ByteFile& file, int64_t rows, int64_t columns) {
  RIESZ_RETURN_IF_ERROR(file.Reserve(rows * columns * int64_t{sizeof(float)}));
  try {
    return Matrix::Uninitialized(rows, columns);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(
        absl::StrCat(file.path(), ": no memory for ", rows, " x ", columns, " float32"));
  }
}

absl::StatusOr<std::vector<int32_t>> AllocateLabels(const ByteFile& file, int64_t count) {
  RIESZ_RETURN_IF_ERROR(file.Reserve(count * int64_t{sizeof(int32_t)}));
  try {
    return std::vector<int32_t>(static_cast<size_t>(count));
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(
        absl::StrCat(file.path(), ": no memory for ", count, " labels"));
  }
}

absl::StatusOr<Matrix> ReadElements(ByteFile& file, ElementFormat format, int64_t rows,
                                    int64_t columns, float scale) {
  const int64_t element_bytes = ElementBytes(format.type);
  RIESZ_RETURN_IF_ERROR(file.CheckHolds(rows * columns * element_bytes));
  RIESZ_ASSIGN_OR_RETURN(Matrix out, Allocate(file, rows, columns));
  if (format.type == ElementType::kFloat32 && !format.big_endian && scale == 1) {
    RIESZ_RETURN_IF_ERROR(file.Read(std::as_writable_bytes(std::span(out.data(), out.size()))));
    return out;
  }
  std::vector<std::byte> chunk(kChunkBytes);
  for (int64_t done = 0; done < out.size();) {
    const int64_t n = std::min(kChunkBytes / element_bytes, out.size() - done);
    const std::span<std::byte> bytes(chunk.data(), static_cast<size_t>(n * element_bytes));
    RIESZ_RETURN_IF_ERROR(file.Read(bytes));
    const int64_t bad = DecodeChunk(format, bytes, scale, out.data() + done);
    if (bad >= 0) {
      return absl::InvalidArgumentError(absl::StrCat(file.path(), ": row ", (done + bad) / columns,
                                                     ", column ", (done + bad) % columns,
                                                     " is beyond the range of float32"));
    }
    done += n;
  }
  return out;
}

float FloatFromHalf(uint16_t half) {
  const int exponent = half >> 10 & 31;
  const int mantissa = half & 1023;
  float value;
  if (exponent == 31) {
    value = mantissa == 0 ? HUGE_VALF : std::nanf("");
  } else if (exponent == 0) {
    value = std::ldexp(static_cast<float>(mantissa), -24);
  } else {
    value = std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25);
  }
  return half & 0x8000 ? -value : value;
}

}  // namespace riesz
