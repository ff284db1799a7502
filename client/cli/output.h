// Where a command's answer goes: text or one line of JSON on stdout; notes and errors on stderr.
//
// Thread safety: one thread at a time.
#pragma once

#include <google/protobuf/message.h>

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"

namespace riesz::cli {

struct OutputOptions {
  bool json = false;
  bool quiet = false;  // no notes, no progress
};

class Output {
 public:
  using Value = std::variant<std::string, double, int64_t>;

  explicit Output(const OutputOptions& options) : options_(options) {}

  bool json() const { return options_.json; }
  // Whether progress and notes are wanted on stderr.
  bool chatty() const { return !options_.json && !options_.quiet; }

  // The server's answer: `text`, or with -o json the message with proto field names.
  void Answer(const google::protobuf::Message& message, const std::string& text);
  // An answer that no message describes.
  void Answer(const std::vector<std::pair<std::string, Value>>& fields, const std::string& text);
  // One line on stderr, unless --quiet or -o json.
  void Note(const std::string& text);
  // "riesz: INVALID_ARGUMENT: ..." in one line on stderr; with -o json an object with code,
  // message, reason, metadata and exit_code.
  void Error(const absl::Status& status);

 private:
  const OutputOptions& options_;
};

// One line of proto JSON with proto field names; absent optional fields stay absent.
std::string ToJson(const google::protobuf::Message& message);

}  // namespace riesz::cli
