#include "core/engine/resource_id.h"

#include "core/error.h"

namespace riesz {
namespace {

bool IsLetter(char c) { return c >= 'a' && c <= 'z'; }
bool IsLetterOrDigit(char c) { return IsLetter(c) || (c >= '0' && c <= '9'); }

}  // namespace

bool IsResourceId(std::string_view id) {
  if (id.empty() || id.size() > 63) return false;
  if (!IsLetter(id.front()) || !IsLetterOrDigit(id.back())) return false;
  for (const char c : id) {
    if (!IsLetterOrDigit(c) && c != '-') return false;
  }
  return true;
}

absl::Status ValidateResourceId(std::string_view id, std::string_view field) {
  if (IsResourceId(id)) return absl::OkStatus();
  // A hostile id may be as long as a message: show its head only.
  std::string shown = "'";
  shown.append(id.substr(0, 80)).append("'");
  return InvalidField(
      field, "1 to 63 of a-z, 0-9 and '-', beginning with a letter and not ending with '-'", shown);
}

}  // namespace riesz
