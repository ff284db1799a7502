// A piece of work for a device, done a quantum at a time.
//
// Thread safety: RunQuantum is called by the device's worker only; Abandoned by any thread that
// holds the worker's lock, so it must take no lock of its own.
#pragma once

#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "core/clock.h"
#include "core/engine/interruption.h"

namespace riesz {

enum class JobClass {
  kInteractive,  // somebody waits for the answer
  kFlow,         // goes on for minutes or hours
};

class Job {
 public:
  virtual ~Job() = default;
  virtual JobClass job_class() const = 0;
  // Works until about `end`. True when the job is over and has told its outcome; it is then
  // dropped.
  virtual bool RunQuantum(Clock::Time end) = 0;
  // Whether the job would only end if it ran now: it is then run first, as it costs nothing.
  virtual bool Abandoned(Clock::Time now) const = 0;
};

// Work short enough for one quantum. `body` is called exactly once, on the worker: with OK to do
// the work, or with the reason why it must not be done any more.
class TaskJob : public Job {
 public:
  TaskJob(Interruption interruption, std::function<void(absl::Status)> body)
      : interruption_(std::move(interruption)), body_(std::move(body)) {}
  JobClass job_class() const override { return JobClass::kInteractive; }
  bool RunQuantum(Clock::Time) override {
    body_(interruption_.Due() ? interruption_.Explain(0, 0) : absl::OkStatus());
    return true;
  }
  bool Abandoned(Clock::Time) const override { return interruption_.Due(); }

 private:
  const Interruption interruption_;
  const std::function<void(absl::Status)> body_;
};

}  // namespace riesz
