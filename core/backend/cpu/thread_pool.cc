#include "core/backend/cpu/thread_pool.h"

namespace riesz::cpu {

ThreadPool::ThreadPool(int threads) {
  for (int worker = 1; worker < threads; ++worker) {
    workers_.emplace_back([this, worker] { Work(worker); });
  }
}

ThreadPool::~ThreadPool() {
  ending_ = true;
  ++loop_;
  loop_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::For(int64_t tasks, const Body& body) {
  if (tasks <= 0) return;
  std::lock_guard lock(loop_mutex_);
  body_ = &body;
  tasks_ = tasks;
  next_task_ = 0;
  if (tasks == 1 || workers_.empty()) {
    RunTasks(0);
    return;
  }
  busy_ = static_cast<int>(workers_.size());
  ++loop_;
  loop_.notify_all();
  RunTasks(0);
  // Every helper must have left the loop before body and counters may change.
  for (int busy = busy_; busy != 0; busy = busy_) busy_.wait(busy);
}

void ThreadPool::RunTasks(int worker) {
  for (int64_t task = next_task_++; task < tasks_; task = next_task_++) (*body_)(task, worker);
}

void ThreadPool::Work(int worker) {
  uint32_t seen = 0;
  while (true) {
    loop_.wait(seen);
    seen = loop_;
    if (ending_) return;
    RunTasks(worker);
    if (--busy_ == 0) busy_.notify_one();
  }
}

}  // namespace riesz::cpu
