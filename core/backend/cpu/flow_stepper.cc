#include "core/backend/cpu/flow_stepper.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/backend/cpu/cpu_ensemble.h"
#include "core/backend/cpu/sliced_operations.h"
#include "core/kernel.h"

namespace riesz::cpu {

namespace {

constexpr SlicedNeeds kFlow{.gradient = true, .values = true};

}  // namespace

CpuFlowStepper::CpuFlowStepper(ThreadPool& pool, const DeviceEnsemble& start,
                               std::shared_ptr<const DeviceEnsemble> target, const FlowSpec& spec)
    : pool_(pool),
      target_(std::move(target)),
      shape_{.n = start.count(), .m = target_->count(), .d = start.dim()},
      spec_(spec),
      origin_(static_cast<size_t>(shape_.d)),
      frozen_(static_cast<size_t>(shape_.d)),
      pass_(pool, shape_, spec.exponent, spec.directions, kFlow),
      target_plan_(pool),
      plan_(pool),
      particles_(PaddedRows(shape_.n) * shape_.d),
      velocity_(PaddedRows(shape_.n) * shape_.d),
      panel_speed_(static_cast<size_t>(PanelCount(shape_.n))) {
  for (const CoordinateRange& range : spec.frozen) {
    std::fill(frozen_.begin() + range.begin, frozen_.begin() + range.end, true);
  }
  SetRows(RowsOf(start).data, particles_);
  std::fill_n(velocity_.data(), velocity_.size(), 0.0f);

  const int64_t panels = PanelCount(shape_.n);
  const double panel_seconds = static_cast<double>(shape_.d * kPanelRows) * 20 / kBytesPerSecond;
  pass_.PlanTarget(target_plan_, RowsOf(*target_));
  plan_.AddPhase(panels, panel_seconds, [this](int64_t panel, int) { Centre(panel); });
  pass_.PlanSlices(plan_, &step_, &measure_);
  plan_.AddPhase(panels, panel_seconds, [this](int64_t panel, int) { Update(panel); });
}

int64_t CpuFlowStepper::Bytes(const ThreadPool& pool, ProblemShape shape, const FlowSpec& spec) {
  return SlicedPass::Bytes(pool, shape, spec.exponent, spec.directions, kFlow) +
         2 * Buffer::Bytes(PaddedRows(shape.n) * shape.d) + shape.d * 5 + PanelCount(shape.n) * 8;
}

absl::StatusOr<RunResult> CpuFlowStepper::Step(Budget& budget, std::stop_token stop, bool measure) {
  if (!target_ready_) {
    const RunResult packed = target_plan_.Run(budget, stop);
    if (packed != RunResult::kDone) return packed;
    target_ready_ = true;
  }
  if (!under_way_) {
    measure_ = measure;
    finite_ = true;
    plan_.Restart();
    under_way_ = true;
  }
  const RunResult result = plan_.Run(budget, stop);
  if (result != RunResult::kDone) return result;
  under_way_ = false;
  if (!finite_ || pass_.overflowed()) {
    return absl::DataLossError(absl::StrCat(
        "step ", step_ + 1, " would make a particle non-finite; the particles stay those of step ",
        step_));
  }
  if (measure_) Measure();
  std::swap(particles_, pass_.particle_buffer());
  std::swap(velocity_, pass_.gradient_buffer());
  ++step_;
  return RunResult::kDone;
}

void CpuFlowStepper::Centre(int64_t panel) {
  const float* from = particles_.data() + panel * shape_.d * kPanelRows;
  float* to = pass_.particle_panel(panel);
  const int64_t rows = std::min(kPanelRows, shape_.n - panel * kPanelRows);
  for (int64_t k = 0; k < shape_.d; ++k) {
    const float centre = pass_.centre()[k];
    for (int64_t r = 0; r < rows; ++r) {
      to[k * kPanelRows + r] = from[k * kPanelRows + r] - centre;
    }
    std::fill(to + k * kPanelRows + rows, to + (k + 1) * kPanelRows, 0.0f);
  }
  pass_.MeasureParticles(panel);
}

void CpuFlowStepper::Update(int64_t panel) {
  const int64_t first = panel * shape_.d * kPanelRows;
  const float* x = particles_.data() + first;
  const float* v = velocity_.data() + first;
  float* gradient = pass_.gradient_panel(panel);  // becomes the new velocity
  float* next = pass_.particle_panel(panel);      // becomes the new particles
  const auto n = static_cast<double>(shape_.n);
  const double speed_scale =
      SlicingConstant(shape_.d, spec_.exponent) / static_cast<double>(pass_.slices());
  const auto scale = static_cast<float>(speed_scale / n);
  const auto momentum = static_cast<float>(spec_.momentum);
  const auto stride = static_cast<float>(spec_.step_size * n);
  const int64_t rows = std::min(kPanelRows, shape_.n - panel * kPanelRows);
  for (int64_t k = 0; k < shape_.d; ++k) {
    if (frozen_[static_cast<size_t>(k)]) {
      std::fill_n(gradient + k * kPanelRows, kPanelRows, 0.0f);
    }
  }
  panel_speed_[static_cast<size_t>(panel)] =
      PanelSquares(gradient, rows, shape_.d) * speed_scale * speed_scale;
  // 0 * x is 0 exactly if x is finite: one comparison tells of the whole panel.
  float poison = 0;
  for (int64_t k = 0; k < shape_.d; ++k) {
    const float keep = frozen_[static_cast<size_t>(k)] ? 0.0f : momentum;
    for (int64_t r = 0; r < kPanelRows; ++r) {
      const int64_t i = k * kPanelRows + r;
      const float velocity = gradient[i] * scale + keep * v[i];
      gradient[i] = velocity;
      next[i] = x[i] - stride * velocity;
      poison += 0.0f * next[i] + 0.0f * velocity;
    }
  }
  if (poison != 0.0f) finite_ = false;
}

void CpuFlowStepper::Measure() {
  const double c = SlicingConstant(shape_.d, spec_.exponent);
  const SliceMean e = pass_.Average([](const SliceValue& v) { return v.energy_distance; });
  double speed = 0;
  for (const double panel : panel_speed_) speed += panel;
  StepMeasurement measurement;
  measurement.step = step_;
  measurement.energy_distance = c * e.mean;
  if (e.standard_error) measurement.slicing_standard_error = c * *e.standard_error;
  measurement.rms_velocity = std::sqrt(speed / static_cast<double>(shape_.n));
  measurement_ = measurement;
}

absl::StatusOr<std::shared_ptr<const DeviceEnsemble>> CpuFlowStepper::Snapshot() {
  try {
    Matrix rows = Matrix::Uninitialized(shape_.n, shape_.d);
    CopyRows(particles_, rows.data());
    return std::make_shared<CpuEnsemble>(std::move(rows));
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("no memory for a snapshot of the flow's particles");
  }
}

absl::StatusOr<FlowState> CpuFlowStepper::Save() {
  try {
    const auto size = static_cast<size_t>(shape_.n * shape_.d);
    FlowState state{
        .step = step_, .particles = std::vector<float>(size), .velocity = std::vector<float>(size)};
    CopyRows(particles_, state.particles.data());
    CopyRows(velocity_, state.velocity.data());
    return state;
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("no memory for a copy of the flow's state");
  }
}

absl::Status CpuFlowStepper::Restore(const FlowState& state) {
  const auto size = static_cast<size_t>(shape_.n * shape_.d);
  if (state.particles.size() != size || state.velocity.size() != size || state.step < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("flow state must hold step >= 0 and ", size,
                     " floats of particles and of velocity, got step ", state.step, ", ",
                     state.particles.size(), " and ", state.velocity.size()));
  }
  SetRows(state.particles.data(), particles_);
  SetRows(state.velocity.data(), velocity_);
  step_ = state.step;
  under_way_ = false;
  measurement_.reset();
  return absl::OkStatus();
}

void CpuFlowStepper::CopyRows(const Buffer& panels, float* rows) const {
  pool_.For(PanelCount(shape_.n), [&](int64_t panel, int) {
    UnpackPanel(panels.data() + panel * shape_.d * kPanelRows,
                std::min(kPanelRows, shape_.n - panel * kPanelRows), shape_.d, 1.0f,
                rows + panel * kPanelRows * shape_.d);
  });
}

void CpuFlowStepper::SetRows(const float* rows, Buffer& panels) {
  pool_.For(PanelCount(shape_.n), [&](int64_t panel, int) {
    PackPanel(rows + panel * kPanelRows * shape_.d,
              std::min(kPanelRows, shape_.n - panel * kPanelRows), shape_.d, origin_.data(), 1.0f,
              panels.data() + panel * shape_.d * kPanelRows);
  });
}

}  // namespace riesz::cpu
