// Pages of a list in order of id. A token is the last id of the page before: pages stay right when
// resources come and go between them. A page is bounded by a number of items and by their bytes.
//
// Thread safety: the functions are pure.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "core/engine/requests.h"

namespace riesz {

inline constexpr int64_t kDefaultPageSize = 50;
inline constexpr int64_t kMaxPageSize = 1000;

struct PageStart {
  std::string after_id;  // ids greater than this; empty: from the first
  int64_t size = 0;
};

// INVALID_ARGUMENT names page_size or page_token.
absl::StatusOr<PageStart> ReadPageRequest(const PageRequest& request);

// Bytes that a message needs for it at most.
int64_t MessageBytes(const EnsembleInfo& info);
int64_t MessageBytes(const FlowInfo& info);

inline const std::string& IdOf(const EnsembleInfo& info) { return info.traits.id; }
inline const std::string& IdOf(const FlowInfo& info) { return info.id; }

// `info_of(*item)` of the first items of `found`, as many as kMaxPageBytes allow; the token leads
// to the rest.
template <typename Info, typename T, typename InfoOf>
Page<Info> DescribePage(const Page<std::shared_ptr<T>>& found, const InfoOf& info_of) {
  Page<Info> page;
  int64_t bytes = 0;
  for (const std::shared_ptr<T>& item : found.items) {
    Info info = info_of(*item);
    bytes += MessageBytes(info);
    if (bytes > kMaxPageBytes && !page.items.empty()) {
      page.next_page_token = IdOf(page.items.back());
      return page;
    }
    page.items.push_back(std::move(info));
  }
  page.next_page_token = found.next_page_token;
  return page;
}

}  // namespace riesz
