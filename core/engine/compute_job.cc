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
  if (result == RunResult::kDone) return Finished();
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
  x_particles_ = std::move(x_particles);
  y_particles_ = std::move(y_particles);
  RIESZ_ASSIGN_OR_RETURN(reply_.spec, PlanEnergyDistance(device().backend(), request_, x(), y()));
  return Prepare(reply_.spec);
}

absl::Status EnergyDistanceJob::Prepare(const EnergyDistanceSpec& spec) {
  operation_ = nullptr;
  scratch_.Release();
  const WorkEstimate work = device().backend().Estimate(Shape(*x_particles_, *y_particles_), spec);
  RIESZ_ASSIGN_OR_RETURN(
      scratch_, device().ledger().Reserve(work.scratch_bytes, "scratch of an energy distance"));
  RIESZ_ASSIGN_OR_RETURN(operation_,
                         device().backend().NewEnergyDistance(x_particles_, y_particles_, spec));
  return absl::OkStatus();
}

std::optional<EnergyDistanceSpec> EnergyDistanceJob::NextRound() {
  if (!request_.error_target || reply_.spec.method == Method::kExact) return std::nullopt;
  const int64_t slices =
      NextRoundSlices(*request_.error_target, reply_.value, reply_.spec.directions.kind, x().dim);
  if (slices == 0) return std::nullopt;
  EnergyDistanceSpec next = reply_.spec;
  next.directions.count = slices;
  ++next.round;
  if (request_.method != MethodChoice::kAuto) return next;
  EnergyDistanceSpec exact = next;
  exact.method = Method::kExact;
  const ProblemShape shape = Shape(*x_particles_, *y_particles_);
  const Backend& backend = device().backend();
  const bool exact_is_cheaper =
      backend.Estimate(shape, exact).seconds < backend.Estimate(shape, next).seconds;
  return exact_is_cheaper ? exact : next;
}

absl::StatusOr<bool> EnergyDistanceJob::Finished() {
  const EnergyDistance& round = operation_->result();
  const bool first = reply_.value.slices == 0;
  reply_.value = first || round.slices == 0 ? round : CombineRounds(reply_.value, round);
  const std::optional<EnergyDistanceSpec> next = NextRound();
  if (!next) return true;
  const absl::Status prepared = Prepare(*next);
  // Somebody took the memory meanwhile: what there is counts, and target_met says how good it is.
  if (absl::IsResourceExhausted(prepared)) return true;
  RIESZ_RETURN_IF_ERROR(prepared);
  reply_.spec = *next;
  return false;
}

absl::Status EnergyDistanceJob::Collect() {
  RIESZ_RETURN_IF_ERROR(CheckFinite(reply_.value.energy_distance, "energy distance"));
  const bool exact = reply_.spec.method == Method::kExact;
  if (!exact) reply_.spec.directions.count = reply_.value.slices;
  if (request_.error_target) {
    const std::optional<double>& error = reply_.value.slicing_standard_error;
    reply_.target_met =
        exact || (error && *error <= request_.error_target->For(reply_.value.energy_distance));
  }
  reply_.x = x();
  reply_.y = y();
  reply_.times = times();
  return absl::OkStatus();
}

void EnergyDistanceJob::Free() {
  operation_ = nullptr;
  x_particles_ = y_particles_ = nullptr;
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
