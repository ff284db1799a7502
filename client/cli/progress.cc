#include "client/cli/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/format.h"

namespace riesz::cli {
namespace {

constexpr std::chrono::milliseconds kRedraw{100};
constexpr std::chrono::milliseconds kPlainLine{2000};
constexpr int kMostBarColumns = 24;
constexpr int kLeastBarColumns = 4;

int Columns(const std::string& text) {
  return static_cast<int>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

// The longest prefix of at most `columns` characters; UTF-8 is not cut within one.
std::string CutToWidth(const std::string& text, int columns) {
  size_t end = 0;
  for (int used = 0; end < text.size(); ++end) {
    const bool begins = (text[end] & 0xC0) != 0x80;
    if (begins && used++ == columns) break;
  }
  return text.substr(0, end);
}

std::string Eta(double seconds) { return absl::StrCat("ETA ", FormatDuration(seconds)); }

}  // namespace

Progress::Options Progress::Stderr(bool enabled) {
  Options options;
  options.enabled = enabled;
  options.terminal = isatty(STDERR_FILENO) == 1;
  winsize size{};
  if (options.terminal && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    options.width = size.ws_col;
  }
  return options;
}

Progress::Progress(const Options& options, std::string title)
    : options_(options), title_(std::move(title)), start_(Clock::now()), shown_(start_) {}

Progress::~Progress() {
  if (line_open_) std::fputc('\n', options_.file);
}

void Progress::UpdateBytes(int64_t done, int64_t total) {
  const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  std::string text = absl::StrCat(FormatBytes(static_cast<double>(done)), " of ",
                                  FormatBytes(static_cast<double>(total)));
  if (rate > 0) {
    absl::StrAppend(&text, "  ", FormatBytes(rate), "/s");
    if (done < total) absl::StrAppend(&text, "  ", Eta(static_cast<double>(total - done) / rate));
  }
  Show(total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 1, text, done >= total);
}

void Progress::UpdateSteps(int64_t done, int64_t total, double per_second,
                           const std::string& remark) {
  std::string text = absl::StrCat("step ", done, "/", total);
  if (per_second > 0) {
    absl::StrAppend(&text, absl::StrFormat("  %.1f/s", per_second));
    if (done < total) {
      absl::StrAppend(&text, "  ", Eta(static_cast<double>(total - done) / per_second));
    }
  }
  if (!remark.empty()) absl::StrAppend(&text, "  ", remark);
  Show(total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 1, text, done >= total);
}

void Progress::Show(double fraction, const std::string& text, bool last) {
  if (!options_.enabled) return;
  const auto now = Clock::now();
  const bool due = now - shown_ >= (options_.terminal ? kRedraw : kPlainLine);
  // The end is always shown, once; but what was over before a first plain line was due is not worth
  // one.
  const bool end = last && !ended_ && (options_.terminal || shown_ != start_);
  const bool first = options_.terminal && !line_open_;
  ended_ = last;
  if (!due && !end && !first) return;
  shown_ = now;
  if (options_.terminal) {
    // Back to the line's start, the new line, and the rest of the old one erased.
    std::fprintf(options_.file, "\r%s\x1b[K",
                 BarLine(title_, fraction, text, options_.width - 1).c_str());
    line_open_ = true;
  } else {
    std::fprintf(options_.file, "%s: %s\n", title_.c_str(), text.c_str());
  }
  std::fflush(options_.file);
}

std::string BarLine(const std::string& title, double fraction, const std::string& text, int width) {
  // The numbers come first: the bar takes what they leave.
  const int frame = 6;  // two brackets and two gaps of two
  const int bar = std::min(kMostBarColumns, width - Columns(title) - Columns(text) - frame);
  if (bar < kLeastBarColumns) return CutToWidth(absl::StrCat(title, "  ", text), width);
  const auto full = static_cast<size_t>(std::clamp(fraction, 0.0, 1.0) * bar);
  return absl::StrCat(title, "  [", std::string(full, '#'),
                      std::string(static_cast<size_t>(bar) - full, '-'), "]  ", text);
}

}  // namespace riesz::cli
