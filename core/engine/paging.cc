#include "core/engine/paging.h"

#include "core/engine/resource_id.h"
#include "core/error.h"

namespace riesz {

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

}  // namespace riesz
