#include "core/engine/io_executor.h"

#include <string>
#include <utility>

#include "core/engine/interruption.h"
#include "core/error.h"

namespace riesz {

IoExecutor::IoExecutor(int threads, int64_t max_tasks) : max_tasks_(max_tasks) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Run(); });
}

IoExecutor::~IoExecutor() {
  Close();
  {
    std::lock_guard lock(mutex_);
    quit_ = true;
  }
  work_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

absl::Status IoExecutor::Submit(Task task) {
  {
    std::lock_guard lock(mutex_);
    if (closed_) return DrainState::Error();
    if (admitted_ >= max_tasks_) {
      const std::string limit = std::to_string(max_tasks_);
      return WithDetail(
          absl::ResourceExhaustedError("the queue for files and transfers is full (" + limit +
                                       " tasks)"),
          {.reason = ErrorReason::kLimit,
           .metadata = {{"what", "io tasks"}, {"limit", limit}, {"retry_after_ms", "1000"}}});
    }
    ++admitted_;
    waiting_.push_back(std::move(task));
  }
  work_.notify_one();
  return absl::OkStatus();
}

void IoExecutor::Close() {
  std::unique_lock lock(mutex_);
  closed_ = true;
  idle_.wait(lock, [this] { return admitted_ == 0; });
}

void IoExecutor::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    work_.wait(lock, [this] { return quit_ || !waiting_.empty(); });
    if (quit_) return;
    Task task = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    const bool over = task();
    if (over) task = nullptr;
    lock.lock();
    if (over) {
      if (--admitted_ == 0) idle_.notify_all();
    } else {
      waiting_.push_back(std::move(task));
    }
  }
}

}  // namespace riesz
