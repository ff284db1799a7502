#include "core/engine/job_queue.h"

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace riesz {
namespace {

JobClass Other(JobClass job_class) {
  return job_class == JobClass::kFlow ? JobClass::kInteractive : JobClass::kFlow;
}

}  // namespace

JobQueue::JobQueue(std::string device, int64_t max_jobs, std::chrono::milliseconds retry_after)
    : device_(std::move(device)), max_jobs_(max_jobs), retry_after_(retry_after) {}

absl::Status JobQueue::Admit(std::shared_ptr<Job> job) {
  if (admitted_ >= max_jobs_) {
    const std::string limit = std::to_string(max_jobs_);
    return WithDetail(absl::ResourceExhaustedError("queue of device " + device_ + " is full (" +
                                                   limit + " jobs)"),
                      {.reason = ErrorReason::kLimit,
                       .metadata = {{"what", "queue of device " + device_},
                                    {"limit", limit},
                                    {"retry_after_ms", std::to_string(retry_after_.count())}}});
  }
  AdmitAlways(std::move(job));
  return absl::OkStatus();
}

void JobQueue::AdmitAlways(std::shared_ptr<Job> job) {
  ++admitted_;
  Return(std::move(job));
}

std::shared_ptr<Job> JobQueue::Next(Clock::Time now) {
  for (auto& jobs : waiting_) {
    const auto abandoned = std::find_if(jobs.begin(), jobs.end(),
                                        [&](const auto& job) { return job->Abandoned(now); });
    if (abandoned != jobs.end()) {
      std::shared_ptr<Job> job = std::move(*abandoned);
      jobs.erase(abandoned);
      return job;
    }
  }
  if (Of(next_class_).empty()) next_class_ = Other(next_class_);
  auto& jobs = Of(next_class_);
  if (jobs.empty()) return nullptr;
  std::shared_ptr<Job> job = std::move(jobs.front());
  jobs.pop_front();
  next_class_ = Other(next_class_);
  return job;
}

void JobQueue::Return(std::shared_ptr<Job> job) {
  auto& jobs = Of(job->job_class());
  jobs.push_back(std::move(job));
}

int64_t JobQueue::waiting() const {
  return static_cast<int64_t>(waiting_[0].size() + waiting_[1].size());
}

}  // namespace riesz
