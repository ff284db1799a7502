// A backend without arithmetic: it does trivial work in a chosen number of chunks, counts calls and
// chunks, moves a fake clock, and fails where a test says so.
//
// Its results are laws that a test can state: a step adds 1 to every coordinate, so particles are
// start + step; the energy distance is |x - y| of the first coordinates of the first particles; the
// gradient is all ones.
//
// Thread safety: thread-safe; `on_chunk` and `on_call` must be too.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/backend/backend.h"
#include "tests/support/fake_clock.h"

namespace riesz {

// Everything that can fail.
enum class FakeCall {
  kNewEnsemble,
  kMap,
  kCommit,
  kSeal,
  kDownload,
  kNewEnergyDistance,
  kNewGradient,
  kNewFlowStepper,
  kRunEnergyDistance,
  kRunGradient,
  kStep,
  kSnapshot,
  kSave,
  kRestore,
};
inline constexpr int kFakeCallCount = 14;

struct FakeBackendOptions {
  std::string name = "fake";
  int64_t chunks = 4;           // of every computation, unless pairs_per_chunk is set
  int64_t pairs_per_chunk = 0;  // > 0: an exact computation has n (n + m) / pairs_per_chunk chunks
  int64_t chunks_per_step = 1;
  FakeClock* clock = nullptr;  // moved by chunk_time after every chunk
  Clock::Time::duration chunk_time = std::chrono::milliseconds(20);
  // Called before every chunk, with the chunk's number within its operation or step.
  std::function<void(FakeCall, int64_t)> on_chunk;
  // Called before every call, without locks.
  std::function<void(FakeCall)> on_call;
  int64_t memory_bytes = int64_t{1} << 30;
  int64_t scratch_bytes = 1 << 10;  // of every operation, beside its result
  double exact_seconds = 1, sliced_seconds = 2;
  bool keep_content = true;  // false: particles take no memory and read as zeros
};

class FakeBackend;

class FakeEnsemble : public DeviceEnsemble {
 public:
  FakeEnsemble(int64_t count, int64_t dim, bool keep_content)
      : count_(count), dim_(dim), values_(keep_content ? static_cast<size_t>(count * dim) : 0) {}
  int64_t count() const override { return count_; }
  int64_t dim() const override { return dim_; }
  std::vector<float>& values() { return values_; }
  const std::vector<float>& values() const { return values_; }

 private:
  int64_t count_, dim_;
  std::vector<float> values_;
};

class FakeBackend : public Backend {
 public:
  explicit FakeBackend(FakeBackendOptions options = {}) : options_(std::move(options)) {}

  // The k-th call from now (0: the next), of any kind or of one, fails with `status`, once.
  void FailCall(int64_t k, absl::Status status) {
    std::lock_guard lock(mutex_);
    any_failure_ = {total_calls_ + k, std::move(status)};
  }
  void FailCall(FakeCall kind, int64_t k, absl::Status status) {
    std::lock_guard lock(mutex_);
    failures_[Index(kind)] = {calls_[Index(kind)] + k, std::move(status)};
  }
  int64_t calls() const {
    std::lock_guard lock(mutex_);
    return total_calls_;
  }
  int64_t calls(FakeCall kind) const {
    std::lock_guard lock(mutex_);
    return calls_[Index(kind)];
  }
  // Chunks of computations and steps so far.
  int64_t chunks() const {
    std::lock_guard lock(mutex_);
    return chunks_;
  }
  const FakeBackendOptions& fake_options() const { return options_; }

  BackendReport Report() const override {
    return {.name = options_.name,
            .description = "counts chunks",
            .threads = 1,
            .memory_bytes = options_.memory_bytes,
            .determinism_fingerprint = "fake"};
  }
  inline absl::StatusOr<std::unique_ptr<EnsembleBuffer>> NewEnsemble(int64_t count,
                                                                     int64_t dim) override;
  inline absl::Status Download(const DeviceEnsemble& ensemble, int64_t first_row,
                               std::span<float> out) override;
  inline absl::StatusOr<std::unique_ptr<EnergyDistanceOperation>> NewEnergyDistance(
      std::shared_ptr<const DeviceEnsemble> x, std::shared_ptr<const DeviceEnsemble> y,
      const EnergyDistanceSpec& spec) override;
  inline absl::StatusOr<std::unique_ptr<GradientOperation>> NewGradient(
      std::shared_ptr<const DeviceEnsemble> x, std::shared_ptr<const DeviceEnsemble> y,
      const GradientSpec& spec) override;
  inline absl::StatusOr<std::unique_ptr<FlowStepper>> NewFlowStepper(
      std::shared_ptr<const DeviceEnsemble> start, std::shared_ptr<const DeviceEnsemble> target,
      const FlowSpec& spec) override;

  WorkEstimate Estimate(const ProblemShape& shape, const EnergyDistanceSpec& spec) const override {
    return {.scratch_bytes = options_.scratch_bytes,
            .seconds = Seconds(spec.method),
            .chunks = PlannedChunks(shape, spec.method)};
  }
  WorkEstimate Estimate(const ProblemShape& shape, const GradientSpec& spec) const override {
    return {.scratch_bytes = options_.scratch_bytes + shape.n * shape.d * 4,
            .seconds = Seconds(spec.method),
            .chunks = PlannedChunks(shape, spec.method)};
  }
  WorkEstimate Estimate(const ProblemShape& shape, const FlowSpec&) const override {
    return {.scratch_bytes = options_.scratch_bytes + 2 * shape.n * shape.d * 4,
            .seconds = options_.sliced_seconds,
            .chunks = options_.chunks_per_step};
  }

  // Counts the call; the chosen failure, or OK.
  absl::Status Count(FakeCall kind) {
    if (options_.on_call) options_.on_call(kind);
    std::lock_guard lock(mutex_);
    const int64_t any = total_calls_++;
    const int64_t own = calls_[Index(kind)]++;
    if (any_failure_.has_value() && any_failure_->first == any) {
      return std::exchange(any_failure_, std::nullopt)->second;
    }
    auto& failure = failures_[Index(kind)];
    if (failure.has_value() && failure->first == own) {
      return std::exchange(failure, std::nullopt)->second;
    }
    return absl::OkStatus();
  }
  // Runs chunks [done, planned) as the seam says; `done` keeps the place.
  RunResult RunChunks(FakeCall kind, int64_t planned, int64_t& done, Budget& budget,
                      const std::stop_token& stop) {
    while (done < planned) {
      if (stop.stop_requested()) return RunResult::kStopped;
      if (options_.on_chunk) options_.on_chunk(kind, done);
      ++done;
      {
        std::lock_guard lock(mutex_);
        ++chunks_;
      }
      if (options_.clock != nullptr) options_.clock->Advance(options_.chunk_time);
      if (budget.SpendChunk() && done < planned) return RunResult::kYield;
    }
    return RunResult::kDone;
  }
  int64_t PlannedChunks(const ProblemShape& shape, Method method) const {
    if (options_.pairs_per_chunk == 0 || method != Method::kExact) return options_.chunks;
    const int64_t pairs = shape.n * (shape.n + shape.m);
    return (pairs + options_.pairs_per_chunk - 1) / options_.pairs_per_chunk;
  }

 private:
  using Failure = std::optional<std::pair<int64_t, absl::Status>>;
  static size_t Index(FakeCall kind) { return static_cast<size_t>(kind); }
  double Seconds(Method method) const {
    return method == Method::kExact ? options_.exact_seconds : options_.sliced_seconds;
  }

  const FakeBackendOptions options_;
  mutable std::mutex mutex_;
  int64_t total_calls_ = 0, chunks_ = 0;
  std::array<int64_t, kFakeCallCount> calls_{};
  Failure any_failure_;
  std::array<Failure, kFakeCallCount> failures_;
};

namespace fake {

inline float FirstValue(const DeviceEnsemble& ensemble) {
  const auto& values = static_cast<const FakeEnsemble&>(ensemble).values();
  return values.empty() ? 0.0f : values[0];
}

class Buffer : public EnsembleBuffer {
 public:
  Buffer(FakeBackend* backend, std::shared_ptr<FakeEnsemble> ensemble)
      : backend_(backend), ensemble_(std::move(ensemble)) {}
  absl::StatusOr<std::span<std::byte>> Map(int64_t offset, int64_t size) override {
    if (absl::Status status = backend_->Count(FakeCall::kMap); !status.ok()) return status;
    if (offset < 0 || size < 0 || offset + size > ensemble_->bytes()) {
      return absl::OutOfRangeError("mapped outside the ensemble");
    }
    if (ensemble_->values().empty()) {
      staging_.resize(static_cast<size_t>(size));
      return std::span<std::byte>(staging_);
    }
    return std::as_writable_bytes(std::span<float>(ensemble_->values()))
        .subspan(static_cast<size_t>(offset), static_cast<size_t>(size));
  }
  absl::Status Commit() override { return backend_->Count(FakeCall::kCommit); }
  absl::StatusOr<std::shared_ptr<const DeviceEnsemble>> Seal() override {
    if (absl::Status status = backend_->Count(FakeCall::kSeal); !status.ok()) return status;
    return std::shared_ptr<const DeviceEnsemble>(std::exchange(ensemble_, nullptr));
  }

 private:
  FakeBackend* backend_;
  std::shared_ptr<FakeEnsemble> ensemble_;
  std::vector<std::byte> staging_;
};

class EnergyDistanceOp : public EnergyDistanceOperation {
 public:
  EnergyDistanceOp(FakeBackend* backend, std::shared_ptr<const DeviceEnsemble> x,
                   std::shared_ptr<const DeviceEnsemble> y, int64_t planned,
                   const EnergyDistanceSpec& spec)
      : backend_(backend), x_(std::move(x)), y_(std::move(y)), planned_(planned) {
    result_.energy_distance = std::abs(FirstValue(*x_) - FirstValue(*y_));
    if (spec.method == Method::kSliced) result_.slices = spec.directions.count;
  }
  absl::StatusOr<RunResult> Run(Budget& budget, std::stop_token stop) override {
    absl::Status status = backend_->Count(FakeCall::kRunEnergyDistance);
    if (!status.ok()) return status;
    return backend_->RunChunks(FakeCall::kRunEnergyDistance, planned_, done_, budget, stop);
  }
  int64_t chunks_done() const override { return done_; }
  int64_t chunks_planned() const override { return planned_; }
  const EnergyDistance& result() const override { return result_; }

 private:
  FakeBackend* backend_;
  std::shared_ptr<const DeviceEnsemble> x_, y_;
  int64_t planned_, done_ = 0;
  EnergyDistance result_;
};

class GradientOp : public GradientOperation {
 public:
  GradientOp(FakeBackend* backend, std::shared_ptr<const DeviceEnsemble> x, int64_t planned,
             const GradientSpec& spec)
      : backend_(backend),
        gradient_(std::make_shared<FakeEnsemble>(x->count(), x->dim(),
                                                 backend->fake_options().keep_content)),
        planned_(planned) {
    std::fill(gradient_->values().begin(), gradient_->values().end(), 1.0f);
    summary_.rms_velocity = 1;
    if (spec.method == Method::kSliced) summary_.slices = spec.directions.count;
  }
  absl::StatusOr<RunResult> Run(Budget& budget, std::stop_token stop) override {
    absl::Status status = backend_->Count(FakeCall::kRunGradient);
    if (!status.ok()) return status;
    return backend_->RunChunks(FakeCall::kRunGradient, planned_, done_, budget, stop);
  }
  int64_t chunks_done() const override { return done_; }
  int64_t chunks_planned() const override { return planned_; }
  std::shared_ptr<const DeviceEnsemble> gradient() const override { return gradient_; }
  const GradientSummary& summary() const override { return summary_; }

 private:
  FakeBackend* backend_;
  std::shared_ptr<FakeEnsemble> gradient_;
  int64_t planned_, done_ = 0;
  GradientSummary summary_;
};

class Stepper : public FlowStepper {
 public:
  Stepper(FakeBackend* backend, const DeviceEnsemble& start, float target)
      : backend_(backend), count_(start.count()), dim_(start.dim()), target_(target) {
    state_.particles = static_cast<const FakeEnsemble&>(start).values();
    state_.velocity.assign(state_.particles.size(), 0.0f);
  }
  int64_t step() const override { return state_.step; }
  absl::StatusOr<RunResult> Step(Budget& budget, std::stop_token stop, bool measure) override {
    if (absl::Status status = backend_->Count(FakeCall::kStep); !status.ok()) return status;
    const RunResult result = backend_->RunChunks(
        FakeCall::kStep, backend_->fake_options().chunks_per_step, done_, budget, stop);
    if (result != RunResult::kDone) return result;
    done_ = 0;
    if (measure) {
      const float at = state_.particles.empty() ? 0.0f : state_.particles[0];
      measurement_ = StepMeasurement{.step = state_.step,
                                     .energy_distance = std::abs(at - target_),
                                     .slicing_standard_error = std::nullopt,
                                     .rms_velocity = 1};
    }
    for (float& v : state_.velocity) v = 1;
    for (float& x : state_.particles) x += 1;
    ++state_.step;
    return RunResult::kDone;
  }
  std::optional<StepMeasurement> measurement() const override { return measurement_; }
  int64_t chunks_per_step() const override { return backend_->fake_options().chunks_per_step; }
  absl::StatusOr<std::shared_ptr<const DeviceEnsemble>> Snapshot() override {
    if (absl::Status status = backend_->Count(FakeCall::kSnapshot); !status.ok()) return status;
    auto copy = std::make_shared<FakeEnsemble>(count_, dim_, false);
    copy->values() = state_.particles;
    return std::shared_ptr<const DeviceEnsemble>(std::move(copy));
  }
  absl::StatusOr<FlowState> Save() override {
    if (absl::Status status = backend_->Count(FakeCall::kSave); !status.ok()) return status;
    return state_;
  }
  absl::Status Restore(const FlowState& state) override {
    if (absl::Status status = backend_->Count(FakeCall::kRestore); !status.ok()) return status;
    if (state.particles.size() != state_.particles.size()) {
      return absl::InvalidArgumentError("the state is of another flow");
    }
    state_ = state;
    done_ = 0;
    return absl::OkStatus();
  }

 private:
  FakeBackend* backend_;
  int64_t count_, dim_;
  float target_;
  FlowState state_;
  int64_t done_ = 0;  // chunks of the step under way
  std::optional<StepMeasurement> measurement_;
};

}  // namespace fake

inline absl::StatusOr<std::unique_ptr<EnsembleBuffer>> FakeBackend::NewEnsemble(int64_t count,
                                                                                int64_t dim) {
  if (absl::Status status = Count(FakeCall::kNewEnsemble); !status.ok()) return status;
  return std::make_unique<fake::Buffer>(
      this, std::make_shared<FakeEnsemble>(count, dim, options_.keep_content));
}

inline absl::Status FakeBackend::Download(const DeviceEnsemble& ensemble, int64_t first_row,
                                          std::span<float> out) {
  if (absl::Status status = Count(FakeCall::kDownload); !status.ok()) return status;
  const auto& values = static_cast<const FakeEnsemble&>(ensemble).values();
  const int64_t first = first_row * ensemble.dim();
  if (first + static_cast<int64_t>(out.size()) > ensemble.count() * ensemble.dim()) {
    return absl::OutOfRangeError("rows outside the ensemble");
  }
  if (values.empty()) {
    std::fill(out.begin(), out.end(), 0.0f);
  } else {
    std::copy_n(values.begin() + first, out.size(), out.begin());
  }
  return absl::OkStatus();
}

inline absl::StatusOr<std::unique_ptr<EnergyDistanceOperation>> FakeBackend::NewEnergyDistance(
    std::shared_ptr<const DeviceEnsemble> x, std::shared_ptr<const DeviceEnsemble> y,
    const EnergyDistanceSpec& spec) {
  if (absl::Status status = Count(FakeCall::kNewEnergyDistance); !status.ok()) return status;
  const int64_t planned = PlannedChunks({x->count(), y->count(), x->dim()}, spec.method);
  return std::make_unique<fake::EnergyDistanceOp>(this, std::move(x), std::move(y), planned, spec);
}

inline absl::StatusOr<std::unique_ptr<GradientOperation>> FakeBackend::NewGradient(
    std::shared_ptr<const DeviceEnsemble> x, std::shared_ptr<const DeviceEnsemble> y,
    const GradientSpec& spec) {
  if (absl::Status status = Count(FakeCall::kNewGradient); !status.ok()) return status;
  const int64_t planned = PlannedChunks({x->count(), y->count(), x->dim()}, spec.method);
  return std::make_unique<fake::GradientOp>(this, std::move(x), planned, spec);
}

inline absl::StatusOr<std::unique_ptr<FlowStepper>> FakeBackend::NewFlowStepper(
    std::shared_ptr<const DeviceEnsemble> start, std::shared_ptr<const DeviceEnsemble> target,
    const FlowSpec&) {
  if (absl::Status status = Count(FakeCall::kNewFlowStepper); !status.ok()) return status;
  return std::make_unique<fake::Stepper>(this, *start, fake::FirstValue(*target));
}

}  // namespace riesz
