#include "core/engine/operand.h"

#include <cstring>
#include <utility>

#include "core/engine/finite.h"
#include "core/error.h"
#include "core/status_macros.h"
#include "core/validate.h"

namespace riesz {
namespace {

absl::Status CheckTensor(const InlineTensor& tensor, const std::string& field,
                         int64_t max_inline_bytes) {
  const auto bytes = static_cast<int64_t>(tensor.bytes.size());
  if (tensor.rows < 1 || tensor.rows > kMaxCount) {
    return InvalidField(field + ".inline_tensor.rows", "in [1, 1073741824]",
                        std::to_string(tensor.rows));
  }
  if (tensor.columns < 1 || tensor.columns > kMaxDim) {
    return InvalidField(field + ".inline_tensor.columns", "in [1, 1048576]",
                        std::to_string(tensor.columns));
  }
  if (bytes > max_inline_bytes) {
    return InvalidField(field + ".inline_tensor.data",
                        "at most " + std::to_string(max_inline_bytes) + " bytes",
                        std::to_string(bytes));
  }
  if (tensor.rows * tensor.columns * 4 != bytes) {
    return InvalidField(
        field + ".inline_tensor.data",
        "rows * columns * 4 = " + std::to_string(tensor.rows * tensor.columns * 4) + " bytes",
        std::to_string(bytes));
  }
  FiniteScan scan;
  scan.Scan(std::as_bytes(std::span(tensor.bytes)));
  if (scan.first_non_finite().has_value()) {
    return NonFiniteError(*scan.first_non_finite(), tensor.columns);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const DeviceEnsemble>> PutTensor(Device& device,
                                                                const InlineTensor& tensor) {
  const auto size = static_cast<int64_t>(tensor.bytes.size());
  RIESZ_ASSIGN_OR_RETURN(Reservation memory, device.ledger().Reserve(size, "an inline tensor"));
  RIESZ_ASSIGN_OR_RETURN(const auto buffer,
                         device.backend().NewEnsemble(tensor.rows, tensor.columns));
  RIESZ_ASSIGN_OR_RETURN(const std::span<std::byte> mapped, buffer->Map(0, size));
  std::memcpy(mapped.data(), tensor.bytes.data(), tensor.bytes.size());
  RIESZ_RETURN_IF_ERROR(buffer->Commit());
  RIESZ_ASSIGN_OR_RETURN(auto particles, buffer->Seal());
  return HoldMemory(std::move(particles), std::move(memory));
}

}  // namespace

absl::StatusOr<Operand> Operand::Find(EnsembleStore& ensembles, const FlowTable& flows,
                                      const std::string& tenant, ParticlesRef ref,
                                      const std::string& field, int64_t max_inline_bytes) {
  Operand operand;
  operand.field_ = field;
  if (const auto* ensemble = std::get_if<EnsembleRef>(&ref)) {
    RIESZ_ASSIGN_OR_RETURN(operand.stored_, ensembles.Find({tenant, ensemble->id}));
  } else if (const auto* flow = std::get_if<FlowRef>(&ref)) {
    RIESZ_ASSIGN_OR_RETURN(operand.flow_, flows.Find({tenant, flow->id}));
    operand.step_ = flow->step;
  } else {
    operand.tensor_ = std::get<InlineTensor>(std::move(ref));
    RIESZ_RETURN_IF_ERROR(CheckTensor(*operand.tensor_, field, max_inline_bytes));
  }
  return operand;
}

absl::StatusOr<ResolvedParticles> Operand::Materialize(Device& device) {
  ResolvedParticles resolved;
  if (stored_ != nullptr) {
    resolved.particles = stored_->particles;
    resolved.sample_shape = stored_->info.traits.sample_shape;
    resolved.weights = stored_->weights;
    resolved.labels = stored_->labels;
    resolved.non_finite = stored_->info.non_finite;
  } else if (flow_ != nullptr) {
    RIESZ_ASSIGN_OR_RETURN(Flow::Copy copy, flow_->Snapshot(step_));
    resolved.particles = std::move(copy.particles);
    resolved.flow_step = step_ = copy.step;
    resolved.sample_shape = flow_->info().sample_shape;
  } else {
    auto particles = PutTensor(device, *tensor_);
    if (!particles.ok()) return device.Noted(particles.status());
    resolved.particles = *std::move(particles);
    tensor_->bytes = {};
  }
  resolved.count = resolved.particles->count();
  resolved.dim = resolved.particles->dim();
  return resolved;
}

std::string Operand::description() const {
  if (stored_ != nullptr) return "ensemble " + stored_->info.traits.id;
  if (flow_ == nullptr) return "inline tensor";
  std::string text = "flow " + flow_->info().id;
  if (step_.has_value()) text += ", step " + std::to_string(*step_);
  return text;
}

ResolvedShape ShapeOf(const ResolvedParticles& particles) {
  return {.count = particles.count, .dim = particles.dim, .flow_step = particles.flow_step};
}

absl::Status CheckComputable(bool weighted, bool non_finite, const std::string& field) {
  if (weighted) {
    return WithDetail(absl::UnimplementedError(
                          "weighted ensembles cannot be compared in this version (" + field + ")"),
                      {.reason = ErrorReason::kNotOffered, .metadata = {{"field", field}}});
  }
  if (non_finite) {
    return WithDetail(absl::InvalidArgumentError(field + " holds numbers that are not finite"),
                      {.reason = ErrorReason::kNonFinite, .metadata = {{"field", field}}});
  }
  return absl::OkStatus();
}

}  // namespace riesz
