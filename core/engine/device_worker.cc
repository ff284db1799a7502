#include "core/engine/device_worker.h"

#include <utility>

namespace riesz {
namespace {

// A full queue empties by a job or two in a few quanta.
constexpr int kRetryAfterQuanta = 10;

}  // namespace

DeviceWorker::DeviceWorker(Options options)
    : options_(std::move(options)),
      queue_(options_.device, options_.max_jobs, options_.quantum * kRetryAfterQuanta) {
  ReportDepth();
  thread_ = std::thread([this] { Run(); });
}

DeviceWorker::~DeviceWorker() {
  Close();
  {
    std::lock_guard lock(mutex_);
    quit_ = true;
  }
  work_.notify_all();
  thread_.join();
}

absl::Status DeviceWorker::Submit(std::shared_ptr<Job> job) {
  return Enqueue(std::move(job), false);
}

absl::Status DeviceWorker::SubmitAlways(std::shared_ptr<Job> job) {
  return Enqueue(std::move(job), true);
}

absl::Status DeviceWorker::Enqueue(std::shared_ptr<Job> job, bool always) {
  {
    std::lock_guard lock(mutex_);
    // What must run on the worker still does while Close waits for the jobs before it.
    if (closed_ && !(always && queue_.admitted() > 0)) return DrainState::Error();
    if (always) {
      queue_.AdmitAlways(std::move(job));
    } else if (absl::Status status = queue_.Admit(std::move(job)); !status.ok()) {
      return status;
    }
    ReportDepth();
  }
  work_.notify_one();
  return absl::OkStatus();
}

void DeviceWorker::Close() {
  std::unique_lock lock(mutex_);
  closed_ = true;
  idle_.wait(lock, [this] { return queue_.admitted() == 0; });
}

int64_t DeviceWorker::queue_depth() const {
  std::lock_guard lock(mutex_);
  return queue_.waiting();
}

void DeviceWorker::ReportDepth() {
  if (options_.metrics != nullptr) {
    options_.metrics->QueueChanged(options_.device, queue_.waiting());
  }
}

void DeviceWorker::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    work_.wait(lock, [this] { return quit_ || queue_.waiting() > 0; });
    if (quit_) return;
    const Clock::Time now = options_.clock->Now();
    std::shared_ptr<Job> job = queue_.Next(now);
    ReportDepth();
    lock.unlock();
    const bool over = job->RunQuantum(now + options_.quantum);
    // A job's destructor frees memory and may take other locks.
    if (over) job = nullptr;
    lock.lock();
    if (over) {
      queue_.Finish();
      if (queue_.admitted() == 0) idle_.notify_all();
    } else {
      queue_.Return(std::move(job));
    }
    ReportDepth();
  }
}

}  // namespace riesz
