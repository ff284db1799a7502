#include "server/log.h"

#include <gtest/gtest.h>

namespace riesz {
namespace {

using std::chrono::milliseconds;
using std::chrono::system_clock;

// 2026-11-23T12:34:56.789Z
constexpr system_clock::time_point kTime{milliseconds(1795437296789)};

TEST(LogTest, ALineHasTimeLevelMessageAndFields) {
  EXPECT_EQ(FormatLogLine(kTime, LogLevel::kInfo, "call done", {{"code", "OK"}, {"method", "a/B"}}),
            "time=2026-11-23T12:34:56.789Z level=info msg=\"call done\" code=OK method=a/B");
}

TEST(LogTest, ALineStaysALineWhateverACallerNamesThings) {
  EXPECT_EQ(FormatLogLine(kTime, LogLevel::kError, "x", {{"id", "a\nlevel=info \"b\"\\"}}),
            "time=2026-11-23T12:34:56.789Z level=error msg=x "
            "id=\"a\\x0alevel=info \\\"b\\\"\\\\\"");
}

TEST(LogTest, AnEmptyValueIsVisible) {
  EXPECT_EQ(FormatLogLine(kTime, LogLevel::kDebug, "x", {{"id", ""}}),
            "time=2026-11-23T12:34:56.789Z level=debug msg=x id=\"\"");
}

TEST(LogTest, LevelsReadWhatTheyPrint) {
  for (const LogLevel level :
       {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError}) {
    EXPECT_EQ(ParseLogLevel(LogLevelName(level)), level);
  }
  EXPECT_EQ(ParseLogLevel("loud"), std::nullopt);
}

TEST(LogTest, LinesBelowTheLevelAreOff) {
  SetLogLevel(LogLevel::kWarning);
  EXPECT_FALSE(LogEnabled(LogLevel::kInfo));
  EXPECT_TRUE(LogEnabled(LogLevel::kWarning));
  SetLogLevel(LogLevel::kInfo);
}

}  // namespace
}  // namespace riesz
