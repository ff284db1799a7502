// One flow: its stepper, its phase and what is wanted of it. FlowJob steps it, a quantum at a time.
//
// What is published when: after every quantum and every change of phase, the whole FlowInfo of the
// last completed step goes into the cell. Half-done steps are never seen: the stepper hides them,
// and snapshots between quanta do not disturb them.
//
// Measurements: the step from s to s + 1 measures the particles at s where s is a multiple of
// measure_every. When the target is reached, the particles at the target are measured too, by doing
// the next step and taking it back (the number is the one that going on would have measured there);
// that costs one step and room for the state on the host, and is left out where the ledger has
// none.
//
// Thread safety: methods marked (worker) belong to the device's worker thread and touch the
// stepper; all others are thread-safe. No lock is held while stepping. Callbacks run without locks.
// Ownership: owns the stepper, its memory and the use of the target until Destroy.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/backend/backend.h"
#include "core/engine/device.h"
#include "core/engine/ensemble_store.h"
#include "core/engine/flow_cell.h"
#include "core/engine/flow_lifecycle.h"
#include "core/engine/interruption.h"
#include "core/engine/job.h"
#include "core/engine/ledger.h"
#include "core/engine/requests.h"

namespace riesz {

class Flow : public std::enable_shared_from_this<Flow> {
 public:
  // The parameters and surroundings of a flow that do not change.
  struct Environment {
    Device* device = nullptr;
    IoExecutor* notifier = nullptr;
    const Clock* clock = nullptr;
    const DrainState* drain = nullptr;
    MetricsSink* metrics = nullptr;  // may be null
    std::function<WallTime()> wall_now;
  };
  struct Parts {
    FlowInfo info;
    std::unique_ptr<FlowStepper> stepper;
    Reservation memory;
    EnsembleUse target;
  };
  Flow(Environment environment, Parts parts);

  FlowInfo info() const;
  const std::shared_ptr<FlowCell>& cell() const { return cell_; }

  // Asks for steps up to `target_step`; queues a job where none is. FAILED_PRECONDITION
  // (WRONG_STATE) in FAILED; the queue's RESOURCE_EXHAUSTED, and then nothing has changed.
  absl::StatusOr<FlowInfo> Advance(int64_t target_step);
  // Drops the steps still to do; answers once the flow rests.
  void Cancel(Callback<FlowInfo> done);

  // (worker) A copy of the particles after the last completed step, its memory reserved.
  // NOT_FOUND once destroyed; FAILED_PRECONDITION when `step` is given and is not that step.
  struct Copy {
    std::shared_ptr<const DeviceEnsemble> particles;
    int64_t step = 0;
  };
  absl::StatusOr<Copy> Snapshot(std::optional<int64_t> step);
  // (worker) The state of the last completed step. The caller reserves its memory (StateBytes).
  absl::StatusOr<FlowState> Save();
  int64_t StateBytes() const;
  // (worker) FAILED -> READY with velocity 0. FAILED_PRECONDITION in other phases.
  absl::StatusOr<FlowInfo> Reset();
  // Makes a running job end at its next chunk; Destroy must follow.
  void MarkDeleted();
  // (worker) Frees stepper, memory and target. Cancels that wait answer NOT_FOUND.
  void Destroy();

 private:
  friend class FlowJob;
  enum class Turn { kStep, kMeasureAtRest, kOver };

  // (worker) One quantum; true when the job is over.
  bool RunQuantum(Clock::Time end);
  bool stop_wanted() const { return stop_wanted_.load(); }
  // (worker) What to do next; ends the job where there is nothing.
  Turn NextTurn(std::stop_token& stop);
  // (worker) Each does at most one step; an error has already failed the flow.
  absl::StatusOr<RunResult> StepOnce(Clock::Time end, const std::stop_token& stop);
  absl::StatusOr<RunResult> MeasureAtRest(Clock::Time end, const std::stop_token& stop);
  absl::StatusOr<RunResult> RunStepper(Clock::Time end, const std::stop_token& stop, bool measure);
  void RecordStep();
  bool MoreWanted() const;
  void Fail(const absl::Status& status);
  void Rest();  // requires the lock
  void Move(FlowEvent event);
  void Publish();
  absl::Status WrongState(const std::string& advice) const;

  const Environment environment_;
  const std::shared_ptr<FlowCell> cell_;

  const int64_t measure_every_;

  // Of the worker.
  Reservation memory_;
  std::unique_ptr<FlowStepper> stepper_;
  std::optional<bool> half_step_measures_;  // set while a step is half done
  std::optional<FlowState> taken_back_;     // the state to return to after measuring at rest
  Reservation taken_back_memory_;
  int64_t rest_measured_at_ = -1;  // last step at which measuring at rest was done or given up
  double window_steps_ = 0, window_seconds_ = 0;  // of device time, for steps_per_second
  double step_seconds_ = 0;                       // of the step under way
  int64_t quantum_steps_ = 0;

  mutable std::mutex mutex_;
  FlowInfo info_;
  EnsembleUse target_;
  bool deleted_ = false;
  bool cancelling_ = false;
  std::vector<Callback<FlowInfo>> cancels_;
  std::stop_source stop_;  // renewed after every rest
  std::atomic<bool> stop_wanted_{false};
};

// The steps of one flow, in the device's queue from Advance until the flow rests.
class FlowJob : public Job {
 public:
  explicit FlowJob(std::shared_ptr<Flow> flow) : flow_(std::move(flow)) {}
  JobClass job_class() const override { return JobClass::kFlow; }
  bool RunQuantum(Clock::Time end) override { return flow_->RunQuantum(end); }
  bool Abandoned(Clock::Time) const override { return flow_->stop_wanted(); }

 private:
  const std::shared_ptr<Flow> flow_;
};

}  // namespace riesz
