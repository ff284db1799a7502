#include "core/engine/flow_cell.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "core/error.h"

namespace riesz {

// The part of a watch that a notification under way keeps alive.
class FlowCell::Watcher {
 public:
  explicit Watcher(std::function<void()> on_change) : on_change_(std::move(on_change)) {}

  // True for the first change since the last look.
  bool Claim() { return !notified_.exchange(true); }
  void Look() { notified_.store(false); }

  void Call() {
    std::lock_guard lock(calling_);
    if (closed_) return;
    caller_.store(std::this_thread::get_id());
    on_change_();
    caller_.store(std::thread::id());
  }
  // After it returns on_change does not run and will not, unless it is on_change that closes.
  void Close() {
    if (caller_.load() == std::this_thread::get_id()) {
      closed_ = true;
      return;
    }
    std::lock_guard lock(calling_);
    closed_ = true;
  }

 private:
  const std::function<void()> on_change_;
  std::atomic<bool> notified_{false};
  std::mutex calling_;  // held while on_change runs: only its own watch's end waits for it
  std::atomic<std::thread::id> caller_{};
  bool closed_ = false;
};

class FlowCell::Handle : public FlowWatch {
 public:
  Handle(std::shared_ptr<FlowCell> cell, std::shared_ptr<Watcher> watcher)
      : cell_(std::move(cell)), watcher_(std::move(watcher)) {}
  ~Handle() override {
    {
      std::lock_guard lock(cell_->mutex_);
      std::erase(cell_->watchers_, watcher_);
    }
    watcher_->Close();
  }
  absl::StatusOr<FlowInfo> Latest() override {
    // Looking comes before reading: a change between them is told of again rather than lost.
    watcher_->Look();
    std::lock_guard lock(cell_->mutex_);
    if (cell_->deleted_) return NotFoundError("flow", cell_->info_.id);
    return cell_->info_;
  }

 private:
  const std::shared_ptr<FlowCell> cell_;
  const std::shared_ptr<Watcher> watcher_;
};

FlowInfo FlowCell::Get() const {
  std::lock_guard lock(mutex_);
  return info_;
}

void FlowCell::Set(FlowInfo info) {
  std::lock_guard lock(mutex_);
  info_ = std::move(info);
  Notify();
}

void FlowCell::MarkDeleted() {
  std::lock_guard lock(mutex_);
  deleted_ = true;
  Notify();
}

std::unique_ptr<FlowWatch> FlowCell::Watch(std::function<void()> on_change) {
  auto watcher = std::make_shared<Watcher>(std::move(on_change));
  std::lock_guard lock(mutex_);
  watchers_.push_back(watcher);
  return std::make_unique<Handle>(shared_from_this(), std::move(watcher));
}

void FlowCell::Notify() {
  for (const std::shared_ptr<Watcher>& watcher : watchers_) {
    if (!watcher->Claim()) continue;
    const absl::Status posted = notifier_->Submit([watcher] {
      watcher->Call();
      return true;
    });
    // Refused only when the engine ends: nobody is told of anything any more.
    if (!posted.ok()) watcher->Look();
  }
}

}  // namespace riesz
