// Resources of one kind by (tenant, id): ids are claimed first and filled later, lists are paged.
//
// A claim keeps an id from others while its resource is being made; it is not yet found or listed.
//
// Thread safety: thread-safe. Ownership: shared; an erased resource lives as long as its users. The
// table must outlive its claims.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/engine/paging.h"
#include "core/engine/requests.h"
#include "core/engine/resource_id.h"
#include "core/error.h"
#include "core/status_macros.h"

namespace riesz {

template <typename T>
class ResourceTable {
 public:
  class Claim {
   public:
    Claim() = default;
    Claim(Claim&& other) noexcept
        : table_(std::exchange(other.table_, nullptr)), key_(std::move(other.key_)) {}
    Claim& operator=(Claim&& other) noexcept {
      if (this != &other) {
        Release();
        table_ = std::exchange(other.table_, nullptr);
        key_ = std::move(other.key_);
      }
      return *this;
    }
    ~Claim() { Release(); }
    const ResourceKey& key() const { return key_; }
    void Release() {
      if (table_ != nullptr) std::exchange(table_, nullptr)->Drop(key_);
    }

   private:
    friend class ResourceTable;
    Claim(ResourceTable* table, ResourceKey key) : table_(table), key_(std::move(key)) {}
    ResourceTable* table_ = nullptr;
    ResourceKey key_;
  };

  // Told of the number of resources after every change, under the table's lock.
  using Observer = std::function<void(int64_t count)>;

  // `kind` is what messages call a resource, e.g. "ensemble".
  ResourceTable(std::string kind, int64_t max_per_tenant, Observer observer = nullptr)
      : kind_(std::move(kind)), max_per_tenant_(max_per_tenant), observer_(std::move(observer)) {
    if (observer_) observer_(0);
  }

  // ALREADY_EXISTS; RESOURCE_EXHAUSTED (LIMIT) when the tenant has as many as it may.
  absl::StatusOr<Claim> ClaimId(const ResourceKey& key) {
    std::lock_guard lock(mutex_);
    if (entries_.contains(key)) return AlreadyExistsError(kind_, key.id);
    int64_t& count = per_tenant_[key.tenant];
    if (count >= max_per_tenant_) {
      return WithDetail(
          absl::ResourceExhaustedError("a tenant may have " + std::to_string(max_per_tenant_) +
                                       " " + kind_ + "s, and has them"),
          {.reason = ErrorReason::kLimit,
           .metadata = {{"what", kind_ + "s"}, {"limit", std::to_string(max_per_tenant_)}}});
    }
    ++count;
    entries_.emplace(key, nullptr);
    return Claim(this, key);
  }

  // From now on the resource is found under the claim's key.
  void Publish(Claim claim, std::shared_ptr<T> resource) {
    std::lock_guard lock(mutex_);
    claim.table_ = nullptr;
    entries_[claim.key_] = std::move(resource);
    ++published_;
    if (observer_) observer_(published_);
  }

  // NOT_FOUND.
  absl::StatusOr<std::shared_ptr<T>> Find(const ResourceKey& key) const {
    std::lock_guard lock(mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end() || found->second == nullptr) return NotFoundError(kind_, key.id);
    return found->second;
  }

  // Takes the resource out. NOT_FOUND.
  absl::StatusOr<std::shared_ptr<T>> Erase(const ResourceKey& key) {
    std::lock_guard lock(mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end() || found->second == nullptr) return NotFoundError(kind_, key.id);
    std::shared_ptr<T> resource = std::move(found->second);
    EraseLocked(found);
    --published_;
    if (observer_) observer_(published_);
    return resource;
  }

  // A page of a tenant's resources in order of id. INVALID_ARGUMENT for a bad size or token.
  absl::StatusOr<Page<std::shared_ptr<T>>> List(const std::string& tenant,
                                                const PageRequest& request) const {
    RIESZ_ASSIGN_OR_RETURN(const PageStart start, ReadPageRequest(request));
    Page<std::shared_ptr<T>> page;
    std::string last_id;
    std::lock_guard lock(mutex_);
    for (auto it = entries_.upper_bound({tenant, start.after_id});
         it != entries_.end() && it->first.tenant == tenant; ++it) {
      if (it->second == nullptr) continue;
      if (static_cast<int64_t>(page.items.size()) == start.size) {
        page.next_page_token = last_id;
        break;
      }
      page.items.push_back(it->second);
      last_id = it->first.id;
    }
    return page;
  }

  // Everything that is published, of all tenants.
  std::vector<std::shared_ptr<T>> All() const {
    std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<T>> all;
    for (const auto& [key, resource] : entries_) {
      if (resource != nullptr) all.push_back(resource);
    }
    return all;
  }

 private:
  using Entries = std::map<ResourceKey, std::shared_ptr<T>>;

  void Drop(const ResourceKey& key) {
    std::lock_guard lock(mutex_);
    EraseLocked(entries_.find(key));
  }
  void EraseLocked(typename Entries::iterator it) {
    const auto tenant = per_tenant_.find(it->first.tenant);
    if (--tenant->second == 0) per_tenant_.erase(tenant);
    entries_.erase(it);
  }

  const std::string kind_;
  const int64_t max_per_tenant_;
  const Observer observer_;
  mutable std::mutex mutex_;
  Entries entries_;  // null: claimed
  std::map<std::string, int64_t> per_tenant_;
  int64_t published_ = 0;
};

}  // namespace riesz
