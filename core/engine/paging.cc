#include "core/engine/paging.h"

#include "core/engine/resource_id.h"
#include "core/error.h"

namespace riesz {
namespace {

// With tags and lengths: numbers, times and shapes of one message; an entry of a map beside its
// text; a pair of numbers.
constexpr int64_t kFixedBytes = 512;
constexpr int64_t kEntryBytes = 16;
constexpr int64_t kRangeBytes = 24;

}  // namespace

absl::StatusOr<PageStart> ReadPageRequest(const PageRequest& request) {
  if (request.size < 0 || request.size > kMaxPageSize) {
    return InvalidField("page_size", "in [0, 1000]", std::to_string(request.size));
  }
  if (!request.token.empty() && !IsResourceId(request.token)) {
    return InvalidField("page_token", "a next_page_token of an earlier answer",
                        request.token.substr(0, 80));
  }
  return PageStart{.after_id = request.token,
                   .size = request.size == 0 ? kDefaultPageSize : request.size};
}

int64_t MessageBytes(const EnsembleInfo& info) {
  size_t text = info.traits.id.size() + info.source.size() + info.device.size();
  for (const auto& [key, value] : info.traits.metadata) text += key.size() + value.size();
  return kFixedBytes + kEntryBytes * static_cast<int64_t>(info.traits.metadata.size()) +
         static_cast<int64_t>(text);
}

int64_t MessageBytes(const FlowInfo& info) {
  const size_t text = info.id.size() + info.start.size() + info.target.size() + info.error.size() +
                      info.device.size() + info.determinism_fingerprint.size();
  return kFixedBytes + kRangeBytes * static_cast<int64_t>(info.spec.frozen.size()) +
         static_cast<int64_t>(text);
}

}  // namespace riesz
