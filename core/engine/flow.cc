#include "core/engine/flow.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/error.h"
#include "core/status_macros.h"

namespace riesz {
Flow::Flow(Environment environment, Parts parts)
    : environment_(std::move(environment)),
      cell_(std::make_shared<FlowCell>(parts.info, environment_.notifier)),
      measure_every_(parts.info.measure_every),
      memory_(std::move(parts.memory)),
      stepper_(std::move(parts.stepper)),
      info_(std::move(parts.info)),
      target_(std::move(parts.target)) {}

FlowInfo Flow::info() const {
  std::lock_guard lock(mutex_);
  return info_;
}

void Flow::Move(FlowEvent event) {
  const std::optional<FlowPhase> next = Next(info_.phase, event);
  RIESZ_CHECK(next.has_value(), "the caller asked first whether the event is allowed");
  info_.phase = *next;
}

void Flow::Publish() {
  ++info_.version;
  info_.update_time = environment_.wall_now();
  cell_->Set(info_);
}

absl::Status Flow::WrongState(const std::string& advice) const {
  const std::string state(PhaseName(info_.phase));
  return WithDetail(
      absl::FailedPreconditionError("flow '" + info_.id + "' is " + state + " at step " +
                                    std::to_string(info_.step) + "; " + advice),
      {.reason = ErrorReason::kWrongState, .metadata = {{"state", state}}});
}

absl::StatusOr<FlowInfo> Flow::Advance(int64_t target_step) {
  std::lock_guard lock(mutex_);
  if (deleted_) return NotFoundError("flow", info_.id);
  if (!Next(info_.phase, FlowEvent::kAdvance).has_value()) return WrongState("reset or fork it");
  if (target_step <= std::max(info_.step, info_.target_step)) return info_;
  if (info_.phase == FlowPhase::kReady) {
    RIESZ_RETURN_IF_ERROR(
        environment_.device->worker().Submit(std::make_shared<FlowJob>(shared_from_this())));
  }
  Move(FlowEvent::kAdvance);
  info_.target_step = target_step;
  Publish();
  return info_;
}

void Flow::Cancel(Callback<FlowInfo> done) {
  absl::StatusOr<FlowInfo> at_rest;
  {
    std::lock_guard lock(mutex_);
    if (deleted_) {
      at_rest = NotFoundError("flow", info_.id);
    } else if (info_.phase == FlowPhase::kQueued || info_.phase == FlowPhase::kRunning) {
      info_.target_step = info_.step;
      cancelling_ = true;
      cancels_.push_back(std::move(done));
      stop_wanted_.store(true);
      stop_.request_stop();
      return;
    } else {
      at_rest = info_;
    }
  }
  done(std::move(at_rest));
}

void Flow::MarkDeleted() {
  std::lock_guard lock(mutex_);
  deleted_ = true;
  stop_wanted_.store(true);
  stop_.request_stop();
  cell_->MarkDeleted();
}

void Flow::Destroy() {
  std::vector<Callback<FlowInfo>> cancels;
  EnsembleUse target;
  {
    std::lock_guard lock(mutex_);
    cancels.swap(cancels_);
    target = std::move(target_);
  }
  stepper_ = nullptr;
  memory_.Release();
  taken_back_.reset();
  taken_back_memory_.Release();
  target.Release();
  for (const auto& done : cancels) done(NotFoundError("flow", info().id));
}

absl::StatusOr<Flow::Copy> Flow::Snapshot(std::optional<int64_t> step) {
  const FlowInfo now = info();
  if (stepper_ == nullptr) return NotFoundError("flow", now.id);
  if (step.has_value() && *step != stepper_->step()) {
    std::lock_guard lock(mutex_);
    return WrongState("it keeps its last step only, and step " + std::to_string(*step) +
                      " was asked for");
  }
  const std::string what = "a copy of flow '" + now.id + "'";
  RIESZ_ASSIGN_OR_RETURN(Reservation memory,
                         environment_.device->ledger().Reserve(now.count * now.dim * 4, what));
  auto particles = stepper_->Snapshot();
  if (!particles.ok()) return environment_.device->Noted(particles.status());
  return Copy{HoldMemory(*std::move(particles), std::move(memory)), stepper_->step()};
}

int64_t Flow::StateBytes() const {
  std::lock_guard lock(mutex_);
  return 2 * info_.count * info_.dim * static_cast<int64_t>(sizeof(float));
}

absl::StatusOr<FlowState> Flow::Save() {
  if (stepper_ == nullptr) return NotFoundError("flow", info().id);
  auto state = stepper_->Save();
  if (!state.ok()) return environment_.device->Noted(state.status());
  return state;
}

absl::StatusOr<FlowInfo> Flow::Reset() {
  if (stepper_ == nullptr) return NotFoundError("flow", info().id);
  {
    std::lock_guard lock(mutex_);
    if (!Next(info_.phase, FlowEvent::kReset).has_value()) {
      return WrongState("only a failed flow can be reset");
    }
  }
  RIESZ_ASSIGN_OR_RETURN(
      const Reservation memory,
      environment_.device->ledger().Reserve(StateBytes(), "the state of flow '" + info().id + "'"));
  RIESZ_ASSIGN_OR_RETURN(FlowState state, Save());
  std::fill(state.velocity.begin(), state.velocity.end(), 0.0f);
  RIESZ_RETURN_IF_ERROR(environment_.device->Noted(stepper_->Restore(state)));
  half_step_measures_.reset();
  taken_back_.reset();
  taken_back_memory_.Release();
  std::lock_guard lock(mutex_);
  // No other event leads out of FAILED, and resets all run here.
  Move(FlowEvent::kReset);
  info_.error.clear();
  info_.step = info_.target_step = stepper_->step();
  Publish();
  return info_;
}

}  // namespace riesz
