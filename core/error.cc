#include "core/error.h"

#include <cstring>
#include <utility>

#include "absl/strings/cord.h"

namespace riesz {
namespace {

constexpr char kPayloadUrl[] = "riesz/ErrorDetail";

// The payload is private to this file: a count and then length-prefixed strings, so that metadata
// may hold any byte.
void Append(std::string& out, std::string_view text) {
  const uint32_t size = static_cast<uint32_t>(text.size());
  out.append(reinterpret_cast<const char*>(&size), sizeof(size));
  out.append(text);
}

std::optional<std::string> Take(std::string_view& in) {
  uint32_t size = 0;
  if (in.size() < sizeof(size)) return std::nullopt;
  std::memcpy(&size, in.data(), sizeof(size));
  in.remove_prefix(sizeof(size));
  if (in.size() < size) return std::nullopt;
  std::string text(in.substr(0, size));
  in.remove_prefix(size);
  return text;
}

std::string Join(std::initializer_list<std::string_view> parts) {
  std::string out;
  for (std::string_view part : parts) out.append(part);
  return out;
}

absl::Status AboutResource(absl::StatusCode code, ErrorReason reason, std::string_view resource,
                           std::string_view id, std::string_view what) {
  return WithDetail(absl::Status(code, Join({resource, " '", id, "' ", what})),
                    {.reason = reason,
                     .metadata = {{"resource", std::string(resource)}, {"id", std::string(id)}}});
}

}  // namespace

absl::Status WithDetail(absl::Status status, const ErrorDetail& detail) {
  std::string payload;
  Append(payload, std::to_string(static_cast<int>(detail.reason)));
  for (const auto& [key, value] : detail.metadata) {
    Append(payload, key);
    Append(payload, value);
  }
  status.SetPayload(kPayloadUrl, absl::Cord(payload));
  return status;
}

std::optional<ErrorDetail> DetailOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kPayloadUrl);
  if (!payload.has_value()) return std::nullopt;
  const std::string bytes(*payload);
  std::string_view rest = bytes;
  const std::optional<std::string> reason = Take(rest);
  if (!reason.has_value()) return std::nullopt;
  ErrorDetail detail;
  detail.reason = static_cast<ErrorReason>(std::atoi(reason->c_str()));
  while (!rest.empty()) {
    std::optional<std::string> key = Take(rest);
    std::optional<std::string> value = Take(rest);
    if (!key.has_value() || !value.has_value()) return std::nullopt;
    detail.metadata.emplace(*std::move(key), *std::move(value));
  }
  return detail;
}

absl::Status InvalidField(std::string_view field, std::string_view range, std::string_view value) {
  return WithDetail(
      absl::InvalidArgumentError(Join({field, " must be ", range, ", got ", value})),
      {.reason = ErrorReason::kInvalidField, .metadata = {{"field", std::string(field)}}});
}

absl::Status NotFoundError(std::string_view resource, std::string_view id) {
  return AboutResource(absl::StatusCode::kNotFound, ErrorReason::kNotFound, resource, id,
                       "does not exist");
}

absl::Status AlreadyExistsError(std::string_view resource, std::string_view id) {
  return AboutResource(absl::StatusCode::kAlreadyExists, ErrorReason::kAlreadyExists, resource, id,
                       "already exists");
}

}  // namespace riesz
