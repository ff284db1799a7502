#include "core/engine/ensemble_store.h"

#include "core/error.h"
#include "core/status_macros.h"

namespace riesz {

EnsembleUse& EnsembleUse::operator=(EnsembleUse&& other) noexcept {
  if (this != &other) {
    Release();
    store_ = std::exchange(other.store_, nullptr);
    ensemble_ = std::move(other.ensemble_);
    key_ = std::move(other.key_);
    user_ = std::move(other.user_);
  }
  return *this;
}

void EnsembleUse::Release() {
  if (store_ != nullptr) std::exchange(store_, nullptr)->EndUse(key_, user_);
  ensemble_ = nullptr;
}

EnsembleStore::EnsembleStore(int64_t max_per_tenant, WallClock now, Table::Observer observer)
    : now_(std::move(now)), table_("ensemble", max_per_tenant, std::move(observer)) {}

absl::StatusOr<EnsembleStore::Claim> EnsembleStore::ClaimId(const ResourceKey& key) {
  std::lock_guard lock(mutex_);
  return table_.ClaimId(key);
}

EnsembleInfo EnsembleStore::Publish(Claim claim, StoredEnsemble ensemble) {
  std::lock_guard lock(mutex_);
  ensemble.info.traits.id = claim.key().id;
  ensemble.info.create_time = ensemble.info.update_time = now_();
  if (ensemble.info.traits.expire_time.has_value()) {
    expiries_.emplace(*ensemble.info.traits.expire_time, claim.key());
  }
  EnsembleInfo info = ensemble.info;
  table_.Publish(std::move(claim), std::make_shared<const StoredEnsemble>(std::move(ensemble)));
  return info;
}

absl::StatusOr<std::shared_ptr<const StoredEnsemble>> EnsembleStore::Find(const ResourceKey& key) {
  std::lock_guard lock(mutex_);
  return table_.Find(key);
}

absl::StatusOr<EnsembleUse> EnsembleStore::Use(const ResourceKey& key, const std::string& user) {
  std::lock_guard lock(mutex_);
  EnsembleUse use;
  RIESZ_ASSIGN_OR_RETURN(use.ensemble_, table_.Find(key));
  users_[key].insert(user);
  use.store_ = this;
  use.key_ = key;
  use.user_ = user;
  return use;
}

absl::Status EnsembleStore::Delete(const ResourceKey& key) {
  // Freed after the lock: it may be gigabytes.
  std::shared_ptr<const StoredEnsemble> ensemble;
  std::lock_guard lock(mutex_);
  if (const auto users = users_.find(key); users != users_.end()) {
    std::string names;
    for (const std::string& user : users->second) names += (names.empty() ? "" : ", ") + user;
    return WithDetail(
        absl::FailedPreconditionError("ensemble '" + key.id + "' is the target of " + names),
        {.reason = ErrorReason::kInUse, .metadata = {{"users", names}}});
  }
  RIESZ_ASSIGN_OR_RETURN(ensemble, table_.Erase(key));
  if (ensemble->info.traits.expire_time.has_value()) {
    expiries_.erase({*ensemble->info.traits.expire_time, key});
  }
  return absl::OkStatus();
}

absl::StatusOr<Page<EnsembleInfo>> EnsembleStore::List(const std::string& tenant,
                                                       const PageRequest& request) {
  RIESZ_ASSIGN_OR_RETURN(const auto found, table_.List(tenant, request));
  return DescribePage<EnsembleInfo>(found,
                                    [](const StoredEnsemble& ensemble) { return ensemble.info; });
}

void EnsembleStore::Sweep() {
  std::vector<std::shared_ptr<const StoredEnsemble>> expired;  // freed after the lock
  std::lock_guard lock(mutex_);
  if (expiries_.empty()) return;
  const WallTime now = now_();
  for (auto it = expiries_.begin(); it != expiries_.end() && it->first <= now;) {
    if (users_.contains(it->second)) {
      ++it;
      continue;
    }
    if (auto erased = table_.Erase(it->second); erased.ok()) expired.push_back(*std::move(erased));
    it = expiries_.erase(it);
  }
}

void EnsembleStore::EndUse(const ResourceKey& key, const std::string& user) {
  std::lock_guard lock(mutex_);
  const auto users = users_.find(key);
  users->second.erase(users->second.find(user));
  if (users->second.empty()) users_.erase(users);
}

}  // namespace riesz
