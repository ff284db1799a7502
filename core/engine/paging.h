// Pages of a list in order of id. A token is the last id of the page before: pages stay right when
// resources come and go between them.
//
// Thread safety: the function is pure.
#pragma once

#include <cstdint>
#include <string>

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

}  // namespace riesz
