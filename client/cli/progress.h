// Progress on stderr: a bar that is redrawn on a terminal, else a plain line every two seconds.
//
// Thread safety: one thread at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

namespace riesz::cli {

class Progress {
 public:
  using Clock = std::chrono::steady_clock;

  struct Options {
    bool enabled = true;
    bool terminal = false;  // redraw in place
    int width = 80;         // columns of the terminal
    std::FILE* file = stderr;
  };
  // What stderr is.
  static Options Stderr(bool enabled);

  Progress(const Options& options, std::string title);
  // Ends the line that is being redrawn.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Bytes of a transfer; rate and ETA are of the whole transfer so far.
  void UpdateBytes(int64_t done, int64_t total);
  // `done` of `total` at `per_second` (0: not known yet), with a remark behind.
  void UpdateSteps(int64_t done, int64_t total, double per_second, const std::string& remark);

 private:
  void Show(double fraction, const std::string& text, bool last);

  const Options options_;
  const std::string title_;
  const Clock::time_point start_;
  Clock::time_point shown_;
  bool line_open_ = false;
  bool ended_ = false;
};

// The line on a terminal: title, a bar where there is room for one, text; cut to the width.
std::string BarLine(const std::string& title, double fraction, const std::string& text, int width);

}  // namespace riesz::cli
