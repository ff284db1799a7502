// Numbers as people read them.
//
// Thread safety: the functions are pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace riesz::cli {

// Six significant digits.
std::string FormatNumber(double value);
// "1.2346 ± 0.0012": the error to two significant digits, the value to the same place.
std::string FormatWithError(double value, std::optional<double> standard_error);
// "512 B", "1.5 KiB", "3.0 GiB".
std::string FormatBytes(double bytes);
// "12 ms", "3.2 s", "4 min 05 s", "2 h 03 min".
std::string FormatDuration(double seconds);
// "2026-11-23 22:36:14 UTC".
std::string FormatTime(int64_t unix_seconds);
// "1000 x 784".
std::string FormatShape(int64_t rows, int64_t columns);

// Lines with aligned columns, two blanks between them; numbers to the right.
class Table {
 public:
  explicit Table(std::vector<std::string> heading);
  void AddRow(std::vector<std::string> row);
  std::string Text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

// "name  value" lines with the values aligned; entries with an empty value are left out.
std::string FormatFields(const std::vector<std::pair<std::string, std::string>>& fields);

}  // namespace riesz::cli
