// Ensembles by (tenant, id): immutable content, users that keep it from being deleted, expiry.
//
// Thread safety: thread-safe; a use belongs to one thread at a time.
// Ownership: content is shared; whoever found an ensemble keeps its particles, deleted or not. The
// store must outlive claims and uses.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/engine/requests.h"
#include "core/engine/resource_table.h"

namespace riesz {

// One ensemble's content and description.
struct StoredEnsemble {
  EnsembleInfo info;
  std::shared_ptr<const DeviceEnsemble> particles;
  std::shared_ptr<const std::vector<float>> weights;   // null without weights
  std::shared_ptr<const std::vector<int32_t>> labels;  // null without labels
};

class EnsembleStore;

// Keeps an ensemble from being deleted, in somebody's name.
class EnsembleUse {
 public:
  EnsembleUse() = default;
  EnsembleUse(EnsembleUse&& other) noexcept
      : store_(std::exchange(other.store_, nullptr)),
        ensemble_(std::move(other.ensemble_)),
        key_(std::move(other.key_)),
        user_(std::move(other.user_)) {}
  EnsembleUse& operator=(EnsembleUse&& other) noexcept;
  ~EnsembleUse() { Release(); }
  void Release();
  const StoredEnsemble& ensemble() const { return *ensemble_; }

 private:
  friend class EnsembleStore;
  EnsembleStore* store_ = nullptr;
  std::shared_ptr<const StoredEnsemble> ensemble_;
  ResourceKey key_;
  std::string user_;
};

class EnsembleStore {
 public:
  using Table = ResourceTable<const StoredEnsemble>;
  using Claim = Table::Claim;
  using WallClock = std::function<WallTime()>;

  EnsembleStore(int64_t max_per_tenant, WallClock now, Table::Observer observer = nullptr);

  // Keeps the id while its ensemble is being made. ALREADY_EXISTS; RESOURCE_EXHAUSTED.
  absl::StatusOr<Claim> ClaimId(const ResourceKey& key);
  // Fills a claim; sets id and times. Returns what was stored.
  EnsembleInfo Publish(Claim claim, StoredEnsemble ensemble);
  // NOT_FOUND, also once a sweep found it expired.
  absl::StatusOr<std::shared_ptr<const StoredEnsemble>> Find(const ResourceKey& key);
  // As Find; until the use is dropped, Delete is refused and names `user`, e.g. "flow 'f'". An
  // ensemble in use does not expire.
  absl::StatusOr<EnsembleUse> Use(const ResourceKey& key, const std::string& user);
  // NOT_FOUND; FAILED_PRECONDITION (IN_USE) with the users' names.
  absl::Status Delete(const ResourceKey& key);
  absl::StatusOr<Page<EnsembleInfo>> List(const std::string& tenant, const PageRequest& request);
  // Drops what has expired and is not in use; cheap when nothing has. To be called first by
  // whatever looks for ensembles or claims ids. Frees memory without the lock.
  void Sweep();

 private:
  friend class EnsembleUse;
  void EndUse(const ResourceKey& key, const std::string& user);

  const WallClock now_;
  std::mutex mutex_;  // taken before the table's own
  Table table_;
  std::map<ResourceKey, std::multiset<std::string>> users_;
  std::set<std::pair<WallTime, ResourceKey>> expiries_;
};

}  // namespace riesz
