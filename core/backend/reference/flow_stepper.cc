#include "core/backend/reference/flow_stepper.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/error.h"

namespace riesz::reference {
namespace {

constexpr PassNeeds kStepNeeds{.values = true, .gradient = true};

}  // namespace

ReferenceFlowStepper::ReferenceFlowStepper(const Particles& start, Particles target,
                                           const FlowSpec& spec)
    : target_(std::move(target)),
      spec_(spec),
      particles_(Matrix::CopyOf(start->view())),
      velocity_(start->count(), start->dim()),
      next_particles_(start->count(), start->dim()),
      next_velocity_(start->count(), start->dim()),
      pass_(particles_.view(), target_->view(), spec.exponent, spec.directions, kStepNeeds,
            spec.frozen) {}

int64_t ReferenceFlowStepper::Bytes(ProblemShape shape, const FlowSpec& spec) {
  return 16 * shape.n * shape.d + SlicedPass::Bytes(shape, spec.directions, kStepNeeds);
}

absl::StatusOr<RunResult> ReferenceFlowStepper::Step(Budget& budget, std::stop_token stop,
                                                     bool measure) {
  if (slices_done_ == 0) {
    measure_ = measure;
    pass_.Begin(step_);
  }
  const RunResult run = RunChunks(slices_done_, pass_.slices(), budget, stop,
                                  [&](int64_t slice) { pass_.RunSlice(slice); });
  if (run != RunResult::kDone) return run;
  slices_done_ = 0;
  if (!Move()) {
    return WithDetail(
        absl::DataLossError(absl::StrCat("step ", step_ + 1, " would make a particle non-finite")),
        {.reason = ErrorReason::kNonFinite, .metadata = {}});
  }
  if (measure_) {
    const SliceMean e = pass_.EnergyDistance(Estimator::kV);
    measurement_ = {.step = step_,
                    .energy_distance = e.mean,
                    .slicing_standard_error = e.standard_error,
                    .rms_velocity = pass_.RmsVelocity().mean};
  }
  // Contents, not buffers: the pass looks at particles_'s memory.
  std::copy_n(next_particles_.data(), particles_.size(), particles_.data());
  std::copy_n(next_velocity_.data(), velocity_.size(), velocity_.data());
  ++step_;
  return run;
}

bool ReferenceFlowStepper::Move() {
  const auto n = static_cast<double>(particles_.rows());
  for (int64_t e = 0; e < particles_.size(); ++e) {
    const double gradient = pass_.velocity()[static_cast<size_t>(e)] / n;
    // Rounded before it moves anything: what is saved is all that the next step depends on.
    const auto v = static_cast<float>(gradient + spec_.momentum * velocity_.data()[e]);
    const auto x = static_cast<float>(particles_.data()[e] - spec_.step_size * n * v);
    if (!std::isfinite(v) || !std::isfinite(x)) return false;
    next_velocity_.data()[e] = v;
    next_particles_.data()[e] = x;
  }
  return true;
}

absl::StatusOr<std::shared_ptr<const DeviceEnsemble>> ReferenceFlowStepper::Snapshot() {
  return std::make_shared<HostEnsemble>(Matrix::CopyOf(particles_.view()));
}

absl::StatusOr<FlowState> ReferenceFlowStepper::Save() {
  return FlowState{
      .step = step_,
      .particles = {particles_.data(), particles_.data() + particles_.size()},
      .velocity = {velocity_.data(), velocity_.data() + velocity_.size()},
  };
}

absl::Status ReferenceFlowStepper::Restore(const FlowState& state) {
  const auto size = static_cast<size_t>(particles_.size());
  if (state.step < 0 || state.particles.size() != size || state.velocity.size() != size) {
    return absl::InvalidArgumentError(absl::StrCat(
        "state must hold a step >= 0 and ", size, " particle and velocity floats, got ", "step ",
        state.step, ", ", state.particles.size(), " and ", state.velocity.size()));
  }
  std::copy(state.particles.begin(), state.particles.end(), particles_.data());
  std::copy(state.velocity.begin(), state.velocity.end(), velocity_.data());
  step_ = state.step;
  slices_done_ = 0;
  measurement_.reset();
  return absl::OkStatus();
}

}  // namespace riesz::reference
