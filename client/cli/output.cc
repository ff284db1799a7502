#include "client/cli/output.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/cli/exit_code.h"
#include "core/error.h"
#include "riesz/v1/errors.pb.h"

namespace riesz::cli {
namespace {

void PrintLine(std::FILE* file, const std::string& text) {
  std::fputs(text.c_str(), file);
  if (text.empty() || text.back() != '\n') std::fputc('\n', file);
  std::fflush(file);
}

std::string ReasonOf(const ErrorDetail& detail) {
  const std::string name =
      v1::ErrorReason_Name(static_cast<v1::ErrorReason>(static_cast<int>(detail.reason)));
  constexpr std::string_view kPrefix = "ERROR_REASON_";
  return name.substr(0, kPrefix.size()) == kPrefix ? name.substr(kPrefix.size()) : name;
}

}  // namespace

std::string ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(message, &json, options).ok()) return "{}";
  return json;
}

void Output::Answer(const google::protobuf::Message& message, const std::string& text) {
  PrintLine(stdout, json() ? ToJson(message) : text);
}

void Output::Answer(const std::vector<std::pair<std::string, Value>>& fields,
                    const std::string& text) {
  google::protobuf::Struct object;
  for (const auto& [name, value] : fields) {
    auto& field = (*object.mutable_fields())[name];
    if (const auto* s = std::get_if<std::string>(&value)) field.set_string_value(*s);
    if (const auto* d = std::get_if<double>(&value)) field.set_number_value(*d);
    if (const auto* i = std::get_if<int64_t>(&value)) {
      field.set_number_value(static_cast<double>(*i));
    }
  }
  Answer(object, text);
}

void Output::Note(const std::string& text) {
  if (chatty()) PrintLine(stderr, text);
}

void Output::Error(const absl::Status& status) {
  // One line, whatever a server's text holds.
  const std::string message =
      absl::StrReplaceAll(std::string(status.message()), {{"\n", " "}, {"\r", " "}});
  if (!json()) {
    PrintLine(stderr, absl::StrCat("riesz: ", CodeName(status), ": ", message));
    return;
  }
  google::protobuf::Struct object;
  auto& fields = *object.mutable_fields();
  fields["exit_code"].set_number_value(ExitCodeOf(status));
  auto& error = *fields["error"].mutable_struct_value()->mutable_fields();
  error["code"].set_string_value(CodeName(status));
  error["message"].set_string_value(message);
  if (const auto detail = DetailOf(status)) {
    error["reason"].set_string_value(ReasonOf(*detail));
    auto& metadata = *error["metadata"].mutable_struct_value()->mutable_fields();
    for (const auto& [key, value] : detail->metadata) metadata[key].set_string_value(value);
  }
  PrintLine(stderr, ToJson(object));
}

}  // namespace riesz::cli
