// Turns the engine's callbacks into values that a test waits for.
//
// Thread safety: a Await may be filled on any thread and waited for on one.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "core/check.h"
#include "core/engine/requests.h"

namespace riesz {

// One expected answer. A second call of the callback aborts: answers come exactly once.
template <typename T>
class Await {
 public:
  Callback<T> callback() {
    return [state = state_](absl::StatusOr<T> answer) {
      std::lock_guard lock(state->mutex);
      RIESZ_CHECK(!state->answer.has_value(), "a callback is called exactly once");
      state->answer = std::move(answer);
      state->ready.notify_all();
    };
  }
  // Waits for the answer.
  const absl::StatusOr<T>& Get() {
    std::unique_lock lock(state_->mutex);
    state_->ready.wait(lock, [this] { return state_->answer.has_value(); });
    return *state_->answer;
  }
  bool answered() const {
    std::lock_guard lock(state_->mutex);
    return state_->answer.has_value();
  }
  // Lets go of what the answer holds.
  void Forget() {
    std::lock_guard lock(state_->mutex);
    state_->answer = absl::UnknownError("forgotten");
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable ready;
    std::optional<absl::StatusOr<T>> answer;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

// A door in a fake backend's chunks: work that comes to it waits until it is opened.
class Gate {
 public:
  // Called by the work.
  void Pass() {
    std::unique_lock lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_ || allowed_ > 0; });
    if (!open_) --allowed_;
  }
  // Waits until `count` pieces of work in all have come to the door.
  void AwaitArrivals(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return arrived_ >= count; });
  }
  void Allow(int count) {
    std::lock_guard lock(mutex_);
    allowed_ += count;
    changed_.notify_all();
  }
  void Open() {
    std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int arrived_ = 0, allowed_ = 0;
  bool open_ = false;
};

}  // namespace riesz
