// How a flow steps: the part of Flow that runs on the device's worker, quantum by quantum.
#include <algorithm>
#include <utility>

#include "core/engine/flow.h"
#include "core/engine/outcome.h"
#include "core/status_macros.h"

namespace riesz {
namespace {

double Seconds(Clock::Time::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

// Device time over which steps_per_second forgets.
constexpr double kRateWindowSeconds = 1.0;

}  // namespace

bool Flow::RunQuantum(Clock::Time end) {
  quantum_steps_ = 0;
  bool over = false;
  for (bool yielded = false; !over && !yielded;) {
    std::stop_token stop;
    const Turn turn = NextTurn(stop);
    if (turn == Turn::kOver) {
      over = true;
      break;
    }
    const absl::Status alive = environment_.device->CheckAlive();
    const absl::StatusOr<RunResult> result = !alive.ok()           ? alive
                                             : turn == Turn::kStep ? StepOnce(end, stop)
                                                                   : MeasureAtRest(end, stop);
    if (!result.ok()) {
      Fail(result.status());
      over = true;
    } else if (*result != RunResult::kStopped) {
      yielded = *result == RunResult::kYield || environment_.clock->Now() >= end;
    }
  }
  if (environment_.metrics != nullptr && quantum_steps_ > 0) {
    environment_.metrics->FlowSteps(environment_.device->report().name, quantum_steps_);
  }
  if (!over && quantum_steps_ > 0) {
    std::lock_guard lock(mutex_);
    Publish();
  }
  return over;
}

Flow::Turn Flow::NextTurn(std::stop_token& stop) {
  std::vector<Callback<FlowInfo>> cancels;
  FlowInfo at_rest;
  {
    std::lock_guard lock(mutex_);
    if (deleted_ || stepper_ == nullptr) return Turn::kOver;
    // Steps that were asked for after the cancel go on as if newly queued.
    const bool wanted = info_.target_step > info_.step;
    const bool measured = rest_measured_at_ == info_.step ||
                          (info_.measurement.has_value() && info_.measurement->step == info_.step);
    const bool must_stop = cancelling_ || environment_.drain->draining();
    if (!must_stop && (wanted || !measured)) {
      if (info_.phase == FlowPhase::kQueued) {
        Move(FlowEvent::kBegin);
        Publish();
      }
      stop = stop_.get_token();
      return wanted ? Turn::kStep : Turn::kMeasureAtRest;
    }
    if (wanted && !environment_.drain->draining()) {
      // A newer Advance overtook the cancel: answer the cancel and step on.
      cancelling_ = false;
      stop_wanted_.store(false);
      stop_ = std::stop_source();
      stop = stop_.get_token();
      if (info_.phase == FlowPhase::kQueued) Move(FlowEvent::kBegin);
      Publish();
    } else {
      Rest();
    }
    cancels.swap(cancels_);
    at_rest = info_;
  }
  for (const auto& done : cancels) done(at_rest);
  return at_rest.phase == FlowPhase::kReady ? Turn::kOver : Turn::kStep;
}

void Flow::Rest() {
  cancelling_ = false;
  stop_wanted_.store(false);
  stop_ = std::stop_source();
  info_.target_step = info_.step;
  taken_back_.reset();
  taken_back_memory_.Release();
  Move(FlowEvent::kRest);
  Publish();
}

absl::StatusOr<RunResult> Flow::RunStepper(Clock::Time end, const std::stop_token& stop,
                                           bool measure) {
  // Constant within a step, whatever is wanted meanwhile.
  if (!half_step_measures_.has_value()) half_step_measures_ = measure;
  Budget budget = Budget::Until(*environment_.clock, end);
  absl::StatusOr<RunResult> result = stepper_->Step(budget, stop, *half_step_measures_);
  if (!result.ok() || *result == RunResult::kDone) half_step_measures_.reset();
  return result;
}

absl::StatusOr<RunResult> Flow::StepOnce(Clock::Time end, const std::stop_token& stop) {
  // Measuring at rest began this very step; now that it is wanted, it is not taken back.
  taken_back_.reset();
  taken_back_memory_.Release();
  const bool measure = stepper_->step() % measure_every_ == 0;
  const Clock::Time begin = environment_.clock->Now();
  RIESZ_ASSIGN_OR_RETURN(const RunResult result, RunStepper(end, stop, measure));
  step_seconds_ += Seconds(environment_.clock->Now() - begin);
  if (result == RunResult::kDone) RecordStep();
  return result;
}

void Flow::RecordStep() {
  if (environment_.metrics != nullptr) {
    environment_.metrics->Computed("flow_step", environment_.device->report().name, "ok", 0,
                                   step_seconds_);
  }
  ++quantum_steps_;
  window_steps_ += 1;
  window_seconds_ += std::exchange(step_seconds_, 0);
  std::lock_guard lock(mutex_);
  info_.step = stepper_->step();
  // A cancel set the target to a step that was then still completed.
  info_.target_step = std::max(info_.target_step, info_.step);
  // The last one stays until there is another; Restore made the stepper forget its own.
  if (auto measurement = stepper_->measurement()) info_.measurement = std::move(measurement);
  if (window_seconds_ > 0) info_.steps_per_second = window_steps_ / window_seconds_;
  if (window_seconds_ > kRateWindowSeconds) {
    window_steps_ /= 2;
    window_seconds_ /= 2;
  }
}

absl::StatusOr<RunResult> Flow::MeasureAtRest(Clock::Time end, const std::stop_token& stop) {
  const int64_t step = stepper_->step();
  if (!taken_back_.has_value()) {
    rest_measured_at_ = step;
    absl::StatusOr<Reservation> memory =
        environment_.device->ledger().Reserve(StateBytes(), "measuring at rest");
    if (!memory.ok()) return RunResult::kDone;
    absl::StatusOr<FlowState> state = Save();
    if (!state.ok()) return RunResult::kDone;
    taken_back_ = *std::move(state);
    taken_back_memory_ = *std::move(memory);
  }
  rest_measured_at_ = -1;  // until done
  const absl::StatusOr<RunResult> result = RunStepper(end, stop, /*measure=*/true);
  if (result.ok() && *result != RunResult::kDone) return *result;
  rest_measured_at_ = step;
  const FlowState state = *std::exchange(taken_back_, std::nullopt);
  const Reservation memory = std::move(taken_back_memory_);
  if (!result.ok()) {
    // The next step would leave the numbers; that is not this step's fault, nor asked for.
    if (absl::IsDataLoss(result.status())) return RunResult::kDone;
    return result;
  }
  if (MoreWanted()) {  // asked for meanwhile: the step stands
    RecordStep();
    return RunResult::kDone;
  }
  std::optional<StepMeasurement> measurement = stepper_->measurement();
  RIESZ_RETURN_IF_ERROR(stepper_->Restore(state));
  std::lock_guard lock(mutex_);
  info_.measurement = std::move(measurement);
  return RunResult::kDone;
}

bool Flow::MoreWanted() const {
  std::lock_guard lock(mutex_);
  return info_.target_step > info_.step && !cancelling_;
}

void Flow::Fail(const absl::Status& status) {
  environment_.device->Noted(status).IgnoreError();
  if (environment_.metrics != nullptr) {
    environment_.metrics->Computed("flow_step", environment_.device->report().name,
                                   OutcomeName(status), 0, std::exchange(step_seconds_, 0));
  }
  std::vector<Callback<FlowInfo>> cancels;
  FlowInfo failed;
  {
    std::lock_guard lock(mutex_);
    cancelling_ = false;
    stop_wanted_.store(deleted_);
    if (!deleted_) stop_ = std::stop_source();
    info_.step = stepper_->step();
    info_.target_step = std::max(info_.target_step, info_.step);
    info_.error = std::string(status.message());
    Move(FlowEvent::kFail);
    Publish();
    cancels.swap(cancels_);
    failed = info_;
  }
  for (const auto& done : cancels) done(failed);
}

}  // namespace riesz
