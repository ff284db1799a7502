#include "core/backend/cuda/flow_stepper.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/error.h"
#include "core/kernel.h"
#include "core/status_macros.h"

namespace riesz::cuda {
namespace {

PassOptions OfFlow(PassOptions options) {
  options.ranks = true;
  options.repeats = true;
  return options;
}

}  // namespace

absl::StatusOr<std::unique_ptr<FlowStepper>> CudaFlowStepper::Make(
    Device& device, const DeviceEnsemble& start, std::shared_ptr<const DeviceEnsemble> target,
    const FlowSpec& spec, PassOptions options) {
  const ProblemShape shape{.n = start.count(), .m = target->count(), .d = start.dim()};
  RIESZ_ASSIGN_OR_RETURN(auto pass,
                         SlicedPass::Make(device, shape, spec.directions, OfFlow(options)));
  std::unique_ptr<CudaFlowStepper> stepper(
      new CudaFlowStepper(device, shape, std::move(target), spec, std::move(pass)));
  RIESZ_RETURN_IF_ERROR(stepper->Allocate());
  RIESZ_RETURN_IF_ERROR(stepper->Begin(start));
  return stepper;
}

int64_t CudaFlowStepper::Bytes(const DeviceFacts& facts, ProblemShape shape, const FlowSpec& spec,
                               PassOptions options) {
  return SlicedPass::Bytes(facts, shape, spec.directions, OfFlow(options)) +
         3 * DeviceArray<float>::Bytes(shape.n * shape.d) +
         DeviceArray<unsigned char>::Bytes(shape.d) + 2 * DeviceArray<unsigned>::Bytes(1) +
         SquareSums::Bytes(shape.n * shape.d);
}

CudaFlowStepper::CudaFlowStepper(Device& device, ProblemShape shape,
                                 std::shared_ptr<const DeviceEnsemble> target, const FlowSpec& spec,
                                 std::unique_ptr<SlicedPass> pass)
    : device_(device),
      target_(std::move(target)),
      shape_(shape),
      spec_(spec),
      pass_(std::move(pass)),
      target_plan_(device),
      plan_(device) {
  pass_->PlanTarget(target_plan_, OnDevice(*target_).data());
  pass_->PlanParticles(plan_, [this] { return particles_.data(); });
  pass_->PlanSlices(plan_, &step_, &measure_);
  plan_.Add(3 * CopySeconds(device.facts().speed, size()), [this] { return EnqueueUpdate(); });
}

absl::Status CudaFlowStepper::Allocate() {
  constexpr char kPurpose[] = "a flow's particles and velocity";
  for (DeviceArray<float>* array : {&particles_, &velocity_, &next_}) {
    RIESZ_ASSIGN_OR_RETURN(*array, DeviceArray<float>::Make(device_, size(), kPurpose));
  }
  RIESZ_ASSIGN_OR_RETURN(frozen_, DeviceArray<unsigned char>::Make(device_, shape_.d, kPurpose));
  RIESZ_ASSIGN_OR_RETURN(non_finite_, DeviceArray<unsigned>::Make(device_, 1, kPurpose));
  RIESZ_ASSIGN_OR_RETURN(non_finite_host_, PinnedArray<unsigned>::Make(device_, 1, kPurpose));
  RIESZ_ASSIGN_OR_RETURN(squares_, SquareSums::Make(device_, size()));
  return absl::OkStatus();
}

absl::Status CudaFlowStepper::Begin(const DeviceEnsemble& start) {
  std::vector<unsigned char> frozen(static_cast<size_t>(shape_.d));
  for (const CoordinateRange& range : spec_.frozen) {
    std::fill(frozen.begin() + range.begin, frozen.begin() + range.end, 1);
  }
  RIESZ_RETURN_IF_ERROR(device_.CopyToDevice(frozen_.data(), frozen.data(), frozen_.bytes()));
  const std::lock_guard lock(device_.compute_queue());
  const absl::Status copied =
      device_.EnqueueCopy(particles_.data(), OnDevice(start).data(), particles_.bytes());
  const absl::Status cleared = device_.EnqueueClear(velocity_.data(), velocity_.bytes());
  const absl::Status finished = device_.Synchronize();
  RIESZ_RETURN_IF_ERROR(copied);
  RIESZ_RETURN_IF_ERROR(cleared);
  return finished;
}

absl::StatusOr<RunResult> CudaFlowStepper::Step(Budget& budget, std::stop_token stop,
                                                bool measure) {
  if (!target_ready_) {
    RIESZ_ASSIGN_OR_RETURN(const RunResult centred, target_plan_.Run(budget, stop));
    if (centred != RunResult::kDone) return centred;
    target_ready_ = true;
  }
  if (!under_way_) {
    measure_ = measure;
    plan_.Restart();
    under_way_ = true;
  }
  RIESZ_ASSIGN_OR_RETURN(const RunResult result, plan_.Run(budget, stop));
  if (result != RunResult::kDone) return result;
  under_way_ = false;
  if (*non_finite_host_.data() != 0) {
    return WithDetail(
        absl::DataLossError(absl::StrCat("step ", step_ + 1,
                                         " would make a particle non-finite; the particles stay "
                                         "those of step ",
                                         step_)),
        {.reason = ErrorReason::kNonFinite, .metadata = {}});
  }
  if (measure_) Measure();
  std::swap(particles_, next_);
  std::swap(velocity_, pass_->sums());
  ++step_;
  return RunResult::kDone;
}

absl::Status CudaFlowStepper::EnqueueUpdate() {
  const auto n = static_cast<double>(shape_.n);
  const FlowUpdate update{.size = size(),
                          .dim = shape_.d,
                          .velocity = pass_->sums().data(),
                          .old_velocity = velocity_.data(),
                          .particles = particles_.data(),
                          .frozen = frozen_.data(),
                          .next = next_.data(),
                          .scale = static_cast<float>(SlicingConstant(shape_.d, 1) /
                                                      static_cast<double>(pass_->slices()) / n),
                          .momentum = static_cast<float>(spec_.momentum),
                          .stride = static_cast<float>(spec_.step_size * n)};
  RIESZ_RETURN_IF_ERROR(device_.EnqueueClear(non_finite_.data(), non_finite_.bytes()));
  RIESZ_RETURN_IF_ERROR(UpdateFlow(device_, update, squares_.data(), non_finite_.data()));
  RIESZ_RETURN_IF_ERROR(squares_.EnqueueToHost(device_));
  return device_.EnqueueToHost(non_finite_host_.data(), non_finite_.data(), non_finite_.bytes());
}

void CudaFlowStepper::Measure() {
  const SliceMean e = pass_->EnergyDistance(Estimator::kV);
  const double speed = SlicingConstant(shape_.d, 1) / static_cast<double>(pass_->slices()) *
                       std::sqrt(squares_.Sum() / static_cast<double>(shape_.n));
  measurement_ = {.step = step_,
                  .energy_distance = e.mean,
                  .slicing_standard_error = e.standard_error,
                  .rms_velocity = speed};
}

absl::StatusOr<std::shared_ptr<const DeviceEnsemble>> CudaFlowStepper::Snapshot() {
  RIESZ_ASSIGN_OR_RETURN(auto copy,
                         DeviceArray<float>::Make(device_, size(), "a snapshot of a flow"));
  {
    const std::lock_guard lock(device_.compute_queue());
    const absl::Status copied =
        device_.EnqueueCopy(copy.data(), particles_.data(), particles_.bytes());
    const absl::Status finished = device_.Synchronize();
    RIESZ_RETURN_IF_ERROR(copied);
    RIESZ_RETURN_IF_ERROR(finished);
  }
  return std::make_shared<CudaEnsemble>(std::move(copy), shape_.n, shape_.d);
}

absl::StatusOr<FlowState> CudaFlowStepper::Save() {
  FlowState state{.step = step_, .particles = {}, .velocity = {}};
  try {
    state.particles.resize(static_cast<size_t>(size()));
    state.velocity.resize(static_cast<size_t>(size()));
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("no host memory for a copy of the flow's state");
  }
  RIESZ_RETURN_IF_ERROR(
      device_.CopyToHost(state.particles.data(), particles_.data(), particles_.bytes()));
  RIESZ_RETURN_IF_ERROR(
      device_.CopyToHost(state.velocity.data(), velocity_.data(), velocity_.bytes()));
  return state;
}

absl::Status CudaFlowStepper::Restore(const FlowState& state) {
  const auto floats = static_cast<size_t>(size());
  if (state.particles.size() != floats || state.velocity.size() != floats || state.step < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("flow state must hold step >= 0 and ", floats,
                     " floats of particles and of velocity, got step ", state.step, ", ",
                     state.particles.size(), " and ", state.velocity.size()));
  }
  RIESZ_RETURN_IF_ERROR(
      device_.CopyToDevice(particles_.data(), state.particles.data(), particles_.bytes()));
  RIESZ_RETURN_IF_ERROR(
      device_.CopyToDevice(velocity_.data(), state.velocity.data(), velocity_.bytes()));
  step_ = state.step;
  under_way_ = false;
  measurement_.reset();
  return absl::OkStatus();
}

}  // namespace riesz::cuda
