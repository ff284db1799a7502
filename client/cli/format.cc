#include "client/cli/format.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <ctime>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace riesz::cli {
namespace {

constexpr double kKibi = 1024;
constexpr int kMostDecimals = 12;

bool IsNumber(const std::string& text) {
  return !text.empty() && (std::isdigit(static_cast<unsigned char>(text[0])) || text[0] == '-');
}

// Columns on a terminal: UTF-8 continuation bytes take none.
size_t Width(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

std::string FormatNumber(double value) { return absl::StrFormat("%.6g", value); }

std::string FormatWithError(double value, std::optional<double> standard_error) {
  if (!standard_error) return FormatNumber(value);
  const double error = *standard_error;
  if (!(error > 0) || !std::isfinite(error) || !std::isfinite(value)) {
    return absl::StrCat(FormatNumber(value), " ± ", FormatNumber(error));
  }
  const int decimals = 1 - static_cast<int>(std::floor(std::log10(error)));
  if (decimals > kMostDecimals || decimals < 0) {
    return absl::StrFormat("%.6g ± %.2g", value, error);
  }
  return absl::StrFormat("%.*f ± %.*f", decimals, value, decimals, error);
}

std::string FormatBytes(double bytes) {
  if (bytes < kKibi) return absl::StrFormat("%.0f B", bytes);
  const char* unit = "";
  for (const char* next : {"KiB", "MiB", "GiB", "TiB"}) {
    if (bytes < kKibi) break;
    bytes /= kKibi;
    unit = next;
  }
  return absl::StrFormat("%.1f %s", bytes, unit);
}

std::string FormatDuration(double seconds) {
  if (seconds < 0.9995) return absl::StrFormat("%.3g ms", seconds * 1000);
  if (seconds < 99.95) return absl::StrFormat("%.1f s", seconds);
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 3600) return absl::StrFormat("%d min %02d s", whole / 60, whole % 60);
  return absl::StrFormat("%d h %02d min", whole / 3600, whole / 60 % 60);
}

std::string FormatTime(int64_t unix_seconds) {
  const std::time_t time = unix_seconds;
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[64];
  return std::string(text, std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &parts));
}

std::string FormatShape(int64_t rows, int64_t columns) {
  return absl::StrCat(rows, " x ", columns);
}

Table::Table(std::vector<std::string> heading) { rows_.push_back(std::move(heading)); }

void Table::AddRow(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

std::string Table::Text() const {
  std::vector<size_t> widths(rows_[0].size(), 0);
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Width(row[i]));
  }
  std::string out;
  for (size_t r = 0; r < rows_.size(); ++r) {
    std::string line;
    for (size_t i = 0; i < rows_[r].size(); ++i) {
      const std::string& cell = rows_[r][i];
      const std::string blanks(widths[i] - Width(cell), ' ');
      // A heading stands as its column's first number does.
      const bool right = IsNumber(r > 0 || rows_.size() == 1 ? cell : rows_[1][i]);
      absl::StrAppend(&line, i > 0 ? "  " : "", right ? blanks + cell : cell + blanks);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    absl::StrAppend(&out, line, "\n");
  }
  return out;
}

std::string FormatFields(const std::vector<std::pair<std::string, std::string>>& fields) {
  size_t width = 0;
  for (const auto& [name, value] : fields) {
    if (!value.empty()) width = std::max(width, Width(name));
  }
  std::string out;
  for (const auto& [name, value] : fields) {
    if (value.empty()) continue;
    absl::StrAppend(&out, name, std::string(width - Width(name) + 2, ' '), value, "\n");
  }
  return out;
}

}  // namespace riesz::cli
