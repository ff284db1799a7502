// Names of resources: what is a valid one, and the key that keeps tenants apart.
//
// Thread safety: the functions are pure.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace riesz {

// Every store is keyed by tenant and id.
struct ResourceKey {
  std::string tenant, id;
  auto operator<=>(const ResourceKey&) const = default;
};

// ^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$
bool IsResourceId(std::string_view id);
// INVALID_ARGUMENT naming `field` where `id` is not one.
absl::Status ValidateResourceId(std::string_view id, std::string_view field);

}  // namespace riesz
