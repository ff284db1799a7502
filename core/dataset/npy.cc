// The format: numpy/lib/format.py. Magic "\x93NUMPY", two version bytes, the header's length (2
// bytes in version 1, else 4, little-endian), and the header: a Python literal of a dict with the
// keys descr, fortran_order and shape.
#include <array>
#include <charconv>
#include <cstring>
#include <string_view>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/dataset/byte_file.h"
#include "core/dataset/elements.h"
#include "core/dataset/formats.h"
#include "core/status_macros.h"

namespace riesz {
namespace {

constexpr size_t kMaxHeaderBytes = 64 << 10;
constexpr size_t kMaxRank = 8;

struct NpyHeader {
  ElementFormat format;
  bool fortran_order = false;
  std::vector<int64_t> shape;
};

std::optional<ElementType> TypeOf(std::string_view kind_and_size) {
  static constexpr std::pair<std::string_view, ElementType> kTypes[] = {
      {"b1", ElementType::kBool},    {"i1", ElementType::kInt8},    {"u1", ElementType::kUint8},
      {"i2", ElementType::kInt16},   {"u2", ElementType::kUint16},  {"i4", ElementType::kInt32},
      {"u4", ElementType::kUint32},  {"i8", ElementType::kInt64},   {"u8", ElementType::kUint64},
      {"f2", ElementType::kFloat16}, {"f4", ElementType::kFloat32}, {"f8", ElementType::kFloat64},
  };
  for (const auto& [name, type] : kTypes) {
    if (name == kind_and_size) return type;
  }
  return std::nullopt;
}

// The text after `'key':`, blanks left out; empty where there is no such key.
std::string_view ValueOf(std::string_view header, std::string_view key) {
  for (const char quote : {'\'', '"'}) {
    const std::string quoted =
        absl::StrCat(std::string(1, quote), std::string(key), std::string(1, quote), ":");
    const size_t at = header.find(quoted);
    if (at == std::string_view::npos) continue;
    header.remove_prefix(at + quoted.size());
    header.remove_prefix(std::min(header.find_first_not_of(' '), header.size()));
    return header;
  }
  return {};
}

absl::StatusOr<ElementFormat> ParseDescr(const ByteFile& file, std::string_view value) {
  const size_t end = value.size() > 1 ? value.find(value[0], 1) : std::string_view::npos;
  const bool quoted = end != std::string_view::npos && (value[0] == '\'' || value[0] == '"');
  const std::string_view descr = quoted ? value.substr(1, end - 1) : std::string_view();
  ElementFormat format;
  if (descr.size() >= 3 && std::string_view("<>|=").find(descr[0]) != std::string_view::npos) {
    if (const auto type = TypeOf(descr.substr(1))) {
      return ElementFormat{.type = *type, .big_endian = descr[0] == '>'};
    }
  }
  return file.Error(absl::StrCat("descr must be a real number type such as '<f4', got ",
                                 std::string(quoted ? descr : value.substr(0, 40))));
}

absl::StatusOr<std::vector<int64_t>> ParseShape(const ByteFile& file, std::string_view value) {
  const absl::Status malformed = file.Error("the header's shape is malformed");
  const size_t end = value.find(')');
  if (value.empty() || value[0] != '(' || end == std::string_view::npos) return malformed;
  value = value.substr(1, end - 1);
  std::vector<int64_t> shape;
  while (value.find_first_not_of(" ,") != std::string_view::npos) {
    value.remove_prefix(value.find_first_not_of(" ,"));
    int64_t size = 0;
    const auto [rest, error] = std::from_chars(value.data(), value.data() + value.size(), size);
    if (error != std::errc() || shape.size() == kMaxRank) return malformed;
    value.remove_prefix(static_cast<size_t>(rest - value.data()));
    if (!value.empty() && value[0] == 'L') value.remove_prefix(1);  // written by Python 2
    shape.push_back(size);
  }
  return shape;
}

absl::StatusOr<NpyHeader> ReadHeader(ByteFile& file) {
  std::array<char, 8> magic;
  RIESZ_RETURN_IF_ERROR(file.Read(std::as_writable_bytes(std::span(magic))));
  const int version = magic[6];
  if (std::memcmp(magic.data(), "\x93NUMPY", 6) != 0 || version < 1 || version > 3) {
    return file.Error("not a .npy file of format 1, 2 or 3");
  }
  std::array<uint8_t, 4> length{};
  RIESZ_RETURN_IF_ERROR(
      file.Read(std::as_writable_bytes(std::span(length).first(version == 1 ? 2 : 4))));
  const size_t bytes = length[0] | length[1] << 8 | length[2] << 16 | size_t{length[3]} << 24;
  if (bytes > kMaxHeaderBytes) {
    return file.Error(
        absl::StrCat("the header must be at most ", kMaxHeaderBytes, " bytes, got ", bytes));
  }
  std::string text(bytes, '\0');
  RIESZ_RETURN_IF_ERROR(file.Read(std::as_writable_bytes(std::span(text))));

  NpyHeader header;
  RIESZ_ASSIGN_OR_RETURN(header.format, ParseDescr(file, ValueOf(text, "descr")));
  RIESZ_ASSIGN_OR_RETURN(header.shape, ParseShape(file, ValueOf(text, "shape")));
  const std::string_view order = ValueOf(text, "fortran_order");
  header.fortran_order = order.substr(0, 4) == "True";
  if (!header.fortran_order && order.substr(0, 5) != "False") {
    return file.Error("the header's fortran_order is neither True nor False");
  }
  RIESZ_RETURN_IF_ERROR(CheckShape(file, header.shape));
  return header;
}

// Elements in Fortran order (first axis fastest) to rows in C order.
absl::StatusOr<Matrix> FromFortranOrder(ByteFile& file, const Matrix& fortran,
                                        const std::vector<int64_t>& shape) {
  RIESZ_ASSIGN_OR_RETURN(Matrix rows, Allocate(file, fortran.rows(), fortran.cols()));
  std::vector<int64_t> index(shape.size(), 0);  // of the column's element; index[0] stays 0
  for (int64_t column = 0; column < rows.cols(); ++column) {
    int64_t from = 0;
    for (size_t axis = shape.size(); axis-- > 0;) from = from * shape[axis] + index[axis];
    for (int64_t row = 0; row < rows.rows(); ++row) {
      rows.row(row)[column] = fortran.data()[from + row];
    }
    RIESZ_RETURN_IF_ERROR(file.Worked(rows.rows() * int64_t{sizeof(float)}));
    for (size_t axis = shape.size(); axis-- > 1;) {
      if (++index[axis] < shape[axis]) break;
      index[axis] = 0;
    }
  }
  return rows;
}

}  // namespace

absl::StatusOr<Dataset> ReadNpy(const std::string& path, const ReadWatch& watch) {
  RIESZ_ASSIGN_OR_RETURN(ByteFile file, ByteFile::Open(path, watch));
  RIESZ_ASSIGN_OR_RETURN(const NpyHeader header, ReadHeader(file));
  int64_t columns = 1;
  for (size_t axis = 1; axis < header.shape.size(); ++axis) columns *= header.shape[axis];
  Dataset out;
  out.shape = ImageShapeOf(header.shape);
  if (header.format.type != ElementType::kFloat32) {
    out.converted_from = ElementName(header.format.type);
  }
  RIESZ_ASSIGN_OR_RETURN(out.rows, ReadElements(file, header.format, header.shape[0], columns, 1));
  RIESZ_RETURN_IF_ERROR(file.ExpectEnd());
  if (header.fortran_order && columns > 1) {
    RIESZ_ASSIGN_OR_RETURN(out.rows, FromFortranOrder(file, out.rows, header.shape));
  }
  return out;
}

}  // namespace riesz
