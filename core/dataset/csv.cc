#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <new>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "core/dataset/byte_file.h"
#include "core/dataset/elements.h"
#include "core/dataset/formats.h"
#include "core/status_macros.h"
#include "core/validate.h"

namespace riesz {
namespace {

constexpr std::string_view kBlanks = " \t\r";

std::string_view Trim(std::string_view text) {
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// The first of ; , tab that the line has, or else a blank: "1,5;2,5" has decimal commas, which are
// then refused number by number.
char SeparatorOf(std::string_view line) {
  for (const char separator : {';', ',', '\t'}) {
    if (line.find(separator) != std::string_view::npos) return separator;
  }
  return ' ';
}

// Cuts the next field off the line; false at its end. Blanks as separators may be repeated.
bool NextField(std::string_view& line, char separator, bool& more, std::string_view& field) {
  if (!more) return false;
  const size_t end = line.find(separator);
  field = Trim(line.substr(0, end));
  more = end != std::string_view::npos;
  line.remove_prefix(more ? end + 1 : line.size());
  if (separator == ' ') line = Trim(line);
  return true;
}

bool ParseNumber(std::string_view field, double& value) {
  if (!field.empty() && field[0] == '+') field.remove_prefix(1);
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  return error == std::errc() && end == field.data() + field.size() && !field.empty();
}

class CsvParser {
 public:
  explicit CsvParser(const ByteFile& file) : file_(file) {}

  absl::Status AddLine(std::string_view line) {
    ++line_number_;
    line = Trim(line);
    if (line.empty() || line[0] == '#') return absl::OkStatus();
    RIESZ_RETURN_IF_ERROR(MakeRoom(line));
    const char separator = SeparatorOf(line);
    int64_t column = 0;
    bool more = true;
    std::string_view field;
    while (NextField(line, separator, more, field)) {
      if (++column > kMaxDim) {
        return Error(column, absl::StrCat("there may be ", kMaxDim, " columns at most"));
      }
      double value = 0;
      if (!ParseNumber(field, value)) {
        if (rows_ == 0 && !heading_) {
          heading_ = true;
          values_.clear();
          return absl::OkStatus();
        }
        return Error(column,
                     absl::StrCat("'", std::string(field.substr(0, 40)), "' is not a number"));
      }
      const auto narrowed = static_cast<float>(value);
      if (std::isinf(narrowed) && std::isfinite(value)) {
        return Error(column, "is beyond the range of float32");
      }
      values_.push_back(narrowed);
    }
    if (rows_ == 0) columns_ = column;
    if (column != columns_) {
      return Error(column,
                   absl::StrCat("the line has ", column, " columns, the first has ", columns_));
    }
    ++rows_;
    return absl::OkStatus();
  }

  absl::StatusOr<Dataset> Finish() {
    if (rows_ == 0) return file_.Error("there are no numbers in the file");
    RIESZ_RETURN_IF_ERROR(CheckShape(file_, {rows_, columns_}));
    Dataset out;
    RIESZ_ASSIGN_OR_RETURN(out.rows, Allocate(file_, rows_, columns_));
    std::memcpy(out.rows.data(), values_.data(), values_.size() * sizeof(float));
    return out;
  }

 private:
  // For the numbers that the line can have: each takes a character and one between.
  absl::Status MakeRoom(std::string_view line) {
    const size_t most = values_.size() + std::min(line.size() / 2 + 1, size_t{kMaxDim});
    if (most <= values_.capacity()) return absl::OkStatus();
    const size_t room = std::max(most, 2 * values_.capacity());
    RIESZ_RETURN_IF_ERROR(file_.Reserve(static_cast<int64_t>(room * sizeof(float))));
    values_.reserve(room);
    return absl::OkStatus();
  }

  absl::Status Error(int64_t column, const std::string& what) const {
    return absl::InvalidArgumentError(
        absl::StrCat(file_.path(), ": line ", line_number_, ", column ", column, ": ", what));
  }

  const ByteFile& file_;
  std::vector<float> values_;
  int64_t line_number_ = 0;
  int64_t rows_ = 0;
  int64_t columns_ = 0;
  bool heading_ = false;
};

}  // namespace

absl::StatusOr<Dataset> ReadCsv(const std::string& path, const ReadWatch& watch) {
  RIESZ_ASSIGN_OR_RETURN(ByteFile file, ByteFile::Open(path, watch));
  if (file.file_bytes() > kMaxDecodedBytes) return file.Error("the file is beyond 64 GiB");
  RIESZ_RETURN_IF_ERROR(file.Reserve(file.file_bytes()));
  try {
    std::string text(static_cast<size_t>(file.file_bytes()), '\0');
    RIESZ_RETURN_IF_ERROR(file.Read(std::as_writable_bytes(std::span(text))));
    // zlib unpacks what looks packed, whatever its name; the sizes would not agree.
    RIESZ_RETURN_IF_ERROR(file.ExpectEnd());
    CsvParser parser(file);
    for (std::string_view rest = text; !rest.empty();) {
      const size_t end = rest.find('\n');
      const size_t taken = end == std::string_view::npos ? rest.size() : end + 1;
      RIESZ_RETURN_IF_ERROR(parser.AddLine(rest.substr(0, end)));
      RIESZ_RETURN_IF_ERROR(file.Worked(static_cast<int64_t>(taken)));
      rest.remove_prefix(taken);
    }
    return parser.Finish();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(absl::StrCat(path, ": no memory for its numbers"));
  }
}

}  // namespace riesz
