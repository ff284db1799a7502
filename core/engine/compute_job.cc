#include "core/engine/compute_job.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/engine/outcome.h"
#include "core/engine/planner.h"
#include "core/status_macros.h"

namespace riesz {
namespace {

double Seconds(Clock::Time::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

ProblemShape Shape(const DeviceEnsemble& x, const DeviceEnsemble& y) {
  return {.n = x.count(), .m = y.count(), .d = x.dim()};
}

// Finite particles near float32's limits can still have products beyond them.
absl::Status CheckFinite(double value, const char* what) {
  if (std::isfinite(value)) return absl::OkStatus();
  return absl::OutOfRangeError(std::string("the ") + what +
                               " is beyond float32's range; scale x and y down");
}

}  // namespace

ComputeJob::ComputeJob(std::string name, Setting setting)
    : name_(std::move(name)), setting_(std::move(setting)), submitted_(setting_.clock->Now()) {
  times_.device = setting_.device->report().name;
}

bool ComputeJob::RunQuantum(Clock::Time end) {
  const Clock::Time start = setting_.clock->Now();
  if (!begun_) times_.queue_seconds = Seconds(start - submitted_);
  const absl::StatusOr<bool> done = Work(end);
  times_.compute_seconds += Seconds(setting_.clock->Now() - start);
  if (!done.ok()) {
    End(setting_.device->Noted(done.status()));
    return true;
  }
  if (*done) {
    End(Collect());
  }
  return *done;
}

absl::StatusOr<bool> ComputeJob::Work(Clock::Time end) {
  const auto interrupted = [this] {
    Operation* const op = operation();
    return op == nullptr ? setting_.interruption.Explain(0, 0)
                         : setting_.interruption.Explain(op->chunks_done(), op->chunks_planned());
  };
  if (setting_.interruption.Due()) return interrupted();
  RIESZ_RETURN_IF_ERROR(setting_.device->CheckAlive());
  if (!begun_) {
    begun_ = true;
    RIESZ_RETURN_IF_ERROR(Begin());
  }
  Budget budget = Budget::Until(*setting_.clock, setting_.interruption.Before(end));
  RIESZ_ASSIGN_OR_RETURN(const RunResult result,
                         operation()->Run(budget, setting_.interruption.stop()));
  if (result == RunResult::kDone) return true;
  if (result == RunResult::kStopped || setting_.interruption.Due()) return interrupted();
  return false;
}

absl::Status ComputeJob::Begin() {
  RIESZ_ASSIGN_OR_RETURN(ResolvedParticles x, setting_.x.Materialize(*setting_.device));
  RIESZ_ASSIGN_OR_RETURN(ResolvedParticles y, setting_.y.Materialize(*setting_.device));
  RIESZ_RETURN_IF_ERROR(CheckComputable(x.weights != nullptr, x.non_finite, "x"));
  RIESZ_RETURN_IF_ERROR(CheckComputable(y.weights != nullptr, y.non_finite, "y"));
  x_shape_ = ShapeOf(x);
  y_shape_ = ShapeOf(y);
  setting_.x = setting_.y = Operand();
  return Plan(std::move(x.particles), std::move(y.particles));
}

void ComputeJob::End(absl::Status status) {
  if (setting_.metrics != nullptr) {
    setting_.metrics->Computed(name_, times_.device, OutcomeName(status), times_.queue_seconds,
                               times_.compute_seconds);
  }
  Free();
  setting_.x = setting_.y = Operand();
  Answer(std::move(status));
}

absl::Status EnergyDistanceJob::Plan(std::shared_ptr<const DeviceEnsemble> x_particles,
                                     std::shared_ptr<const DeviceEnsemble> y_particles) {
  Backend& backend = device().backend();
  RIESZ_ASSIGN_OR_RETURN(reply_.spec, PlanEnergyDistance(backend, request_, x(), y()));
  const WorkEstimate work = backend.Estimate(Shape(*x_particles, *y_particles), reply_.spec);
  RIESZ_ASSIGN_OR_RETURN(
      scratch_, device().ledger().Reserve(work.scratch_bytes, "scratch of an energy distance"));
  RIESZ_ASSIGN_OR_RETURN(
      operation_,
      backend.NewEnergyDistance(std::move(x_particles), std::move(y_particles), reply_.spec));
  return absl::OkStatus();
}

absl::Status EnergyDistanceJob::Collect() {
  reply_.value = operation_->result();
  RIESZ_RETURN_IF_ERROR(CheckFinite(reply_.value.energy_distance, "energy distance"));
  reply_.x = x();
  reply_.y = y();
  reply_.times = times();
  return absl::OkStatus();
}

void EnergyDistanceJob::Free() {
  operation_ = nullptr;
  scratch_.Release();
}

void EnergyDistanceJob::Answer(absl::Status status) {
  if (status.ok()) {
    std::exchange(done_, nullptr)(std::move(reply_));
  } else {
    std::exchange(done_, nullptr)(std::move(status));
  }
}

absl::Status GradientJob::Plan(std::shared_ptr<const DeviceEnsemble> x_particles,
                               std::shared_ptr<const DeviceEnsemble> y_particles) {
  Backend& backend = device().backend();
  RIESZ_ASSIGN_OR_RETURN(reply_.spec, PlanGradient(backend, request_, x(), y()));
  const WorkEstimate work = backend.Estimate(Shape(*x_particles, *y_particles), reply_.spec);
  // The result is counted within the scratch; a backend that forgets it must not cost us memory.
  const int64_t bytes = std::max(work.scratch_bytes, x_particles->bytes());
  RIESZ_ASSIGN_OR_RETURN(scratch_, device().ledger().Reserve(bytes, "scratch of a gradient"));
  RIESZ_ASSIGN_OR_RETURN(
      operation_, backend.NewGradient(std::move(x_particles), std::move(y_particles), reply_.spec));
  return absl::OkStatus();
}

absl::Status GradientJob::Collect() {
  reply_.summary = operation_->summary();
  RIESZ_RETURN_IF_ERROR(CheckFinite(reply_.summary.rms_velocity, "gradient"));
  std::shared_ptr<const DeviceEnsemble> gradient = operation_->gradient();
  operation_ = nullptr;
  scratch_.ShrinkTo(gradient->bytes());
  reply_.gradient = HoldMemory(std::move(gradient), std::move(scratch_));
  reply_.x = x();
  reply_.y = y();
  reply_.times = times();
  return absl::OkStatus();
}

void GradientJob::Free() {
  operation_ = nullptr;
  scratch_.Release();
}

void GradientJob::Answer(absl::Status status) {
  if (status.ok()) {
    std::exchange(done_, nullptr)(std::move(reply_));
  } else {
    std::exchange(done_, nullptr)(std::move(status));
  }
}

}  // namespace riesz
