// The backend's own worker threads: one parallel loop at a time, work handed out task by task.
//
// Who computes a task never changes its result, so results do not depend on the number of threads.
//
// Thread safety: For may be called from several threads at once; the loops then run one after the
// other (a loop is one chunk of an operation, about 20 ms). Not from within a body.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace riesz::cpu {

class ThreadPool {
 public:
  // body(task, worker) with 0 <= worker < threads(): two tasks at once never share a worker.
  using Body = std::function<void(int64_t task, int worker)>;

  // Starts threads - 1 threads; the caller of For is the last worker. Requires threads >= 1.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }
  // Runs body(0 .. tasks - 1, ...) and returns when all are done.
  void For(int64_t tasks, const Body& body);

 private:
  void Work(int worker);
  void RunTasks(int worker);

  std::mutex loop_mutex_;  // held by the one For that runs
  const Body* body_ = nullptr;
  int64_t tasks_ = 0;
  std::atomic<int64_t> next_task_ = 0;
  std::atomic<int> busy_ = 0;       // helpers that have not finished the current loop
  std::atomic<uint32_t> loop_ = 0;  // number of the current loop; helpers sleep on it
  std::atomic<bool> ending_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace riesz::cpu
