// The one thread that computes on a device: it takes jobs from the queue and gives each a quantum.
//
// Thread safety: thread-safe. Jobs run, and are destroyed, on the worker's thread without its lock.
// Ownership: shares its jobs while they are admitted. The destructor ends all jobs (see Close).
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "core/engine/job_queue.h"
#include "core/engine/metrics_sink.h"

namespace riesz {

class DeviceWorker {
 public:
  struct Options {
    std::string device;
    const Clock* clock = &SteadyClock();
    std::chrono::milliseconds quantum{50};
    int64_t max_jobs = 256;
    MetricsSink* metrics = nullptr;  // may be null
  };

  explicit DeviceWorker(Options options);
  ~DeviceWorker();

  // RESOURCE_EXHAUSTED (LIMIT) when the queue is full; UNAVAILABLE (DRAINING) once closed.
  absl::Status Submit(std::shared_ptr<Job> job);
  // For work that frees something: never refused for lack of room. UNAVAILABLE once closed.
  absl::Status SubmitAlways(std::shared_ptr<Job> job);
  // Refuses new jobs and returns when all that were admitted are over. Idempotent.
  void Close();
  // Jobs waiting, the one that runs not counted.
  int64_t queue_depth() const;

 private:
  void Run();
  absl::Status Enqueue(std::shared_ptr<Job> job, bool always);
  void ReportDepth();  // requires the lock

  const Options options_;
  mutable std::mutex mutex_;
  std::condition_variable work_, idle_;
  JobQueue queue_;
  bool closed_ = false, quit_ = false;
  std::thread thread_;
};

}  // namespace riesz
