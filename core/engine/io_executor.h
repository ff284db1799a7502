// A bounded pool of threads for everything that is neither an RPC nor a computation: files, copies,
// checksums, notifications.
//
// A task is cut into tiles of a few milliseconds; tasks take turns by tile, so a large one does not
// hold up a small one.
//
// Thread safety: thread-safe. Tiles of one task never run at once. Tasks are destroyed on the pool,
// without locks.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/status.h"

namespace riesz {

class IoExecutor {
 public:
  // Does the next tile; true when the task is over.
  using Task = std::function<bool()>;

  IoExecutor(int threads, int64_t max_tasks);
  // Finishes all tasks.
  ~IoExecutor();

  // RESOURCE_EXHAUSTED (LIMIT) when max_tasks are not over; UNAVAILABLE (DRAINING) once closed. The
  // task is then not run.
  absl::Status Submit(Task task);
  // Refuses new tasks and returns when all are over. Idempotent.
  void Close();

 private:
  void Run();

  const int64_t max_tasks_;
  std::mutex mutex_;
  std::condition_variable work_, idle_;
  std::deque<Task> waiting_;
  int64_t admitted_ = 0;
  bool closed_ = false, quit_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace riesz
