#include "core/engine/request_log.h"

#include <list>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "core/error.h"

namespace riesz {

struct RequestLog::Entry {
  std::string tenant, id;
  RequestFingerprint fingerprint;
  bool finished = false;
  std::string answer;                               // once finished
  std::vector<OnFinished> waiting;                  // until then
  std::list<std::shared_ptr<Entry>>::iterator use;  // its place among the tenant's finished calls
};

struct RequestLog::State {
  struct Tenant {
    std::map<std::string, std::shared_ptr<Entry>> calls;
    std::list<std::shared_ptr<Entry>> finished;  // the least recently used first
    int64_t answer_bytes = 0;
  };

  explicit State(Limits limits) : limits(limits) {}

  // Requires the lock.
  void Trim(Tenant& tenant) {
    while (static_cast<int64_t>(tenant.finished.size()) > limits.calls_per_tenant ||
           tenant.answer_bytes > limits.answer_bytes_per_tenant) {
      const std::shared_ptr<Entry> oldest = tenant.finished.front();
      tenant.finished.pop_front();
      tenant.answer_bytes -= static_cast<int64_t>(oldest->answer.size());
      tenant.calls.erase(oldest->id);
    }
  }

  const Limits limits;
  std::mutex mutex;
  std::map<std::string, Tenant> tenants;
};

RequestFingerprint Fingerprint(std::string_view method, std::string_view request) {
  // FNV-1a. Not against an adversary: who forges a collision gets their own earlier answer.
  uint64_t hash = 0xcbf29ce484222325;
  const auto add = [&hash](std::string_view bytes) {
    for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  };
  add(method);
  add(std::string_view("\0", 1));
  add(request);
  return {.hash = hash, .size = request.size()};
}

RequestLog::RequestLog(Limits limits) : state_(std::make_shared<State>(limits)) {}
RequestLog::~RequestLog() = default;

RequestLog::Begun RequestLog::Begin(const std::string& tenant, const std::string& request_id,
                                    const RequestFingerprint& fingerprint, OnFinished on_finished) {
  Begun begun;
  if (request_id.empty()) return begun;
  std::lock_guard lock(state_->mutex);
  State::Tenant& calls = state_->tenants[tenant];
  std::shared_ptr<Entry>& entry = calls.calls[request_id];
  if (entry == nullptr) {
    entry = std::make_shared<Entry>();
    entry->tenant = tenant;
    entry->id = request_id;
    entry->fingerprint = fingerprint;
    begun.kind = Kind::kNew;
    begun.call.state_ = state_;
    begun.call.entry_ = entry;
    return begun;
  }
  if (entry->fingerprint != fingerprint) {
    begun.kind = Kind::kReused;
    begun.status = WithDetail(
        absl::InvalidArgumentError("request_id '" + request_id + "' was used for another request"),
        {.reason = ErrorReason::kRequestIdReused, .metadata = {{"request_id", request_id}}});
    return begun;
  }
  if (!entry->finished) {
    begun.kind = Kind::kRunning;
    entry->waiting.push_back(std::move(on_finished));
    return begun;
  }
  calls.finished.splice(calls.finished.end(), calls.finished, entry->use);
  begun.kind = Kind::kFinished;
  begun.answer = entry->answer;
  return begun;
}

RequestLog::Call& RequestLog::Call::operator=(Call&& other) noexcept {
  if (this != &other) {
    if (entry_ != nullptr) End(absl::AbortedError("the call was given up"));
    state_ = std::move(other.state_);
    entry_ = std::move(other.entry_);
  }
  return *this;
}

RequestLog::Call::~Call() {
  if (entry_ != nullptr) End(absl::AbortedError("the call was given up"));
}

void RequestLog::Call::Succeed(std::string answer) {
  if (entry_ != nullptr) End(std::move(answer));
}

void RequestLog::Call::Fail(absl::Status status) {
  if (entry_ != nullptr) End(std::move(status));
}

void RequestLog::Call::End(absl::StatusOr<std::string> outcome) {
  std::vector<OnFinished> waiting;
  {
    std::lock_guard lock(state_->mutex);
    State::Tenant& tenant = state_->tenants[entry_->tenant];
    waiting.swap(entry_->waiting);
    if (outcome.ok()) {
      entry_->finished = true;
      entry_->answer = *outcome;
      entry_->use = tenant.finished.insert(tenant.finished.end(), entry_);
      tenant.answer_bytes += static_cast<int64_t>(entry_->answer.size());
      state_->Trim(tenant);
    } else {
      tenant.calls.erase(entry_->id);
    }
  }
  entry_ = nullptr;
  for (const OnFinished& on_finished : waiting) on_finished(outcome);
}

}  // namespace riesz
