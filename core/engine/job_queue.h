// Which job a device does next: two classes that alternate, round robin by quantum within each.
//
// Interactive jobs and flows take turns while both wait, so neither starves the other: an
// interactive job waits for at most one flow quantum between two interactive ones. A job that would
// only end (its caller left) goes first, as that costs nothing.
//
// Thread safety: none; the worker locks.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "core/engine/job.h"

namespace riesz {

class JobQueue {
 public:
  // At most `max_jobs` admitted and not over. `device` and `retry_after` go into the refusal.
  JobQueue(std::string device, int64_t max_jobs, std::chrono::milliseconds retry_after);

  // RESOURCE_EXHAUSTED (LIMIT) when full.
  absl::Status Admit(std::shared_ptr<Job> job);
  // Admits beyond the bound: for work that frees something and whose number is bounded elsewhere.
  void AdmitAlways(std::shared_ptr<Job> job);
  // Takes the job whose turn it is; null when none waits.
  std::shared_ptr<Job> Next(Clock::Time now);
  // Puts back a job whose quantum is over, behind its class.
  void Return(std::shared_ptr<Job> job);
  // The job that was taken is over.
  void Finish() { --admitted_; }

  int64_t waiting() const;
  int64_t admitted() const { return admitted_; }

 private:
  std::deque<std::shared_ptr<Job>>& Of(JobClass job_class) {
    return waiting_[static_cast<size_t>(job_class)];
  }

  const std::string device_;
  const int64_t max_jobs_;
  const std::chrono::milliseconds retry_after_;
  std::array<std::deque<std::shared_ptr<Job>>, 2> waiting_;
  JobClass next_class_ = JobClass::kInteractive;
  int64_t admitted_ = 0;
};

}  // namespace riesz
