// Logs of one line each: key=value pairs on stderr, UTC time and level first.
//
//   time=2026-11-23T12:00:00.123Z level=info msg="draining" deadline_s=30
//
// Thread safety: every function is thread-safe; a line is written whole.
#pragma once

#include <chrono>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace riesz {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

std::string_view LogLevelName(LogLevel level);  // "debug", "info", "warning", "error"
std::optional<LogLevel> ParseLogLevel(std::string_view name);

// Lines below `level` are dropped from now on; at first kInfo.
void SetLogLevel(LogLevel level);
// Ask before building costly fields.
bool LogEnabled(LogLevel level);

struct LogField {
  std::string_view key;
  std::string value;
};
void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});

// The line without its newline. Values with spaces, quotes or control characters are quoted and
// escaped, so that a line stays a line whatever a caller put into a name.
std::string FormatLogLine(std::chrono::system_clock::time_point time, LogLevel level,
                          std::string_view message, std::initializer_list<LogField> fields);

}  // namespace riesz
