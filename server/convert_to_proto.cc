#include <chrono>
#include <utility>

#include "core/notes.h"
#include "core/wasserstein_bound.h"
#include "server/convert.h"

namespace riesz {
namespace {

v1::Method ToProto(Method method) {
  return method == Method::kExact ? v1::METHOD_EXACT : v1::METHOD_SLICED;
}

v1::Estimator ToProto(Estimator estimator) {
  return estimator == Estimator::kU ? v1::ESTIMATOR_U : v1::ESTIMATOR_V;
}

v1::FlowState ToProto(FlowPhase phase) {
  switch (phase) {
    case FlowPhase::kReady:
      return v1::FLOW_STATE_READY;
    case FlowPhase::kQueued:
      return v1::FLOW_STATE_QUEUED;
    case FlowPhase::kRunning:
      return v1::FLOW_STATE_RUNNING;
    case FlowPhase::kFailed:
      return v1::FLOW_STATE_FAILED;
  }
  return v1::FLOW_STATE_UNSPECIFIED;
}

}  // namespace

void ToProto(WallTime time, google::protobuf::Timestamp* out) {
  const auto nanos =
      std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
  out->set_seconds(nanos / 1'000'000'000);
  out->set_nanos(static_cast<int32_t>(nanos % 1'000'000'000));
}

void ToProto(const SampleShape& shape, v1::SampleShape* out) {
  out->set_channels(shape.channels);
  out->set_height(shape.height);
  out->set_width(shape.width);
}

void ToProto(const EnsembleInfo& info, v1::Ensemble* out) {
  out->set_id(info.traits.id);
  out->set_count(info.count);
  out->set_dimension(info.dim);
  out->set_data_type(v1::DATA_TYPE_FLOAT32);
  out->set_has_weights(info.has_weights);
  out->set_has_labels(info.has_labels);
  if (info.traits.sample_shape) ToProto(*info.traits.sample_shape, out->mutable_sample_shape());
  if (info.traits.value_scaling) {
    out->mutable_value_scaling()->set_scale(info.traits.value_scaling->scale);
    out->mutable_value_scaling()->set_offset(info.traits.value_scaling->offset);
  }
  out->mutable_metadata()->insert(info.traits.metadata.begin(), info.traits.metadata.end());
  out->set_state(v1::ENSEMBLE_STATE_READY);
  out->set_size_bytes(info.size_bytes);
  out->set_crc32c(info.crc32c);
  out->set_source(info.source);
  out->set_device(info.device);
  ToProto(info.create_time, out->mutable_create_time());
  ToProto(info.update_time, out->mutable_update_time());
  if (info.traits.expire_time) ToProto(*info.traits.expire_time, out->mutable_expire_time());
}

void ToProto(const UploadInfo& info, v1::Upload* out) {
  out->set_id(info.id);
  out->set_ensemble_id(info.ensemble_id);
  out->set_total_bytes(info.total_bytes);
  out->set_committed_bytes(info.committed_bytes);
  out->set_committed_crc32c(info.committed_crc32c);
  out->set_max_chunk_bytes(kMaxChunkBytes);
  ToProto(info.expire_time, out->mutable_expire_time());
}

void ToProto(const ResolvedShape& shape, v1::ResolvedParticles* out) {
  out->set_count(shape.count);
  out->set_dimension(shape.dim);
  if (shape.flow_step) out->set_flow_step(*shape.flow_step);
}

v1::DirectionKind ToProto(DirectionKind kind) {
  switch (kind) {
    case DirectionKind::kIid:
      return v1::DIRECTION_KIND_IID;
    case DirectionKind::kOrthogonal:
      return v1::DIRECTION_KIND_ORTHOGONAL;
    case DirectionKind::kLowDiscrepancy:
      return v1::DIRECTION_KIND_LOW_DISCREPANCY;
    case DirectionKind::kStructured:
      return v1::DIRECTION_KIND_STRUCTURED;
  }
  return v1::DIRECTION_KIND_UNSPECIFIED;
}

void ToProto(const DirectionSpec& spec, v1::Directions* out) {
  out->set_kind(ToProto(spec.kind));
  out->set_count(static_cast<int32_t>(spec.count));
  out->set_seed(spec.seed);
}

void ToProto(const EnergyDistanceReply& reply, v1::ComputeEnergyDistanceResponse* out) {
  out->set_energy_distance(reply.value.energy_distance);
  if (reply.value.slicing_standard_error) {
    out->set_slicing_standard_error(*reply.value.slicing_standard_error);
  }
  out->set_method(ToProto(reply.spec.method));
  out->set_exponent(reply.spec.exponent);
  out->set_estimator(ToProto(reply.spec.estimator));
  if (reply.spec.method == Method::kSliced) {
    ToProto(reply.spec.directions, out->mutable_directions());
    out->set_slices(static_cast<int32_t>(reply.value.slices));
    out->set_blocks(static_cast<int32_t>(reply.value.blocks));
  }
  ToProto(reply.x, out->mutable_x());
  ToProto(reply.y, out->mutable_y());
  out->set_compute_seconds(reply.times.compute_seconds);
  out->set_queue_seconds(reply.times.queue_seconds);
  out->set_device(reply.times.device);
  if (reply.target_met) out->set_target_met(*reply.target_met);
  const std::optional<double> bound = Wasserstein1LowerBound(reply.value, reply.spec);
  if (bound) out->set_wasserstein_1_lower_bound(*bound);
}

void ToProto(const GradientReply& reply, v1::GradientSummary* out) {
  out->set_rms_velocity(reply.summary.rms_velocity);
  if (reply.summary.slicing_standard_error) {
    out->set_slicing_standard_error(*reply.summary.slicing_standard_error);
  }
  out->set_method(ToProto(reply.spec.method));
  out->set_exponent(reply.spec.exponent);
  if (reply.spec.method == Method::kSliced) {
    ToProto(reply.spec.directions, out->mutable_directions());
    out->set_slices(static_cast<int32_t>(reply.summary.slices));
    out->set_blocks(static_cast<int32_t>(reply.summary.blocks));
  }
  for (std::string& note : NotesOn(reply.spec, reply.x.dim)) out->add_notes(std::move(note));
  ToProto(reply.x, out->mutable_x());
  ToProto(reply.y, out->mutable_y());
  if (reply.kept) ToProto(*reply.kept, out->mutable_ensemble());
  out->set_compute_seconds(reply.times.compute_seconds);
  out->set_queue_seconds(reply.times.queue_seconds);
  out->set_device(reply.times.device);
}

void ToProto(const FlowInfo& info, v1::Flow* out) {
  out->set_id(info.id);
  out->set_state(ToProto(info.phase));
  out->set_step(info.step);
  out->set_target_step(info.target_step);
  v1::FlowParameters* parameters = out->mutable_parameters();
  parameters->set_step_size(info.spec.step_size);
  parameters->set_momentum(info.spec.momentum);
  ToProto(info.spec.directions, parameters->mutable_directions());
  for (const CoordinateRange& range : info.spec.frozen) {
    v1::CoordinateRange* frozen = parameters->add_frozen();
    frozen->set_begin(range.begin);
    frozen->set_end(range.end);
  }
  parameters->set_measure_every(info.measure_every);
  parameters->set_exponent(info.spec.exponent);
  for (std::string& note : NotesOn(info.spec, info.dim)) out->add_notes(std::move(note));
  out->set_start(info.start);
  out->set_target(info.target);
  out->set_count(info.count);
  out->set_dimension(info.dim);
  if (info.measurement) {
    v1::FlowMeasurement* measurement = out->mutable_measurement();
    measurement->set_step(info.measurement->step);
    measurement->set_energy_distance(info.measurement->energy_distance);
    if (info.measurement->slicing_standard_error) {
      measurement->set_slicing_standard_error(*info.measurement->slicing_standard_error);
    }
    measurement->set_rms_velocity(info.measurement->rms_velocity);
  }
  out->set_steps_per_second(info.steps_per_second);
  out->set_size_bytes(info.size_bytes);
  out->set_error(info.error);
  out->set_device(info.device);
  out->set_determinism_fingerprint(info.determinism_fingerprint);
  ToProto(info.create_time, out->mutable_create_time());
  ToProto(info.update_time, out->mutable_update_time());
  if (info.sample_shape) ToProto(*info.sample_shape, out->mutable_sample_shape());
}

void ToProto(const DeviceInfo& info, v1::Device* out) {
  out->set_name(info.report.name);
  out->set_description(info.report.description);
  out->set_threads(info.report.threads);
  out->set_memory_limit_bytes(info.memory_limit_bytes);
  out->set_memory_used_bytes(info.memory_used_bytes);
  out->set_queue_depth(info.queue_depth);
  out->add_methods("exact");
  out->add_methods("sliced");
  out->set_determinism_fingerprint(info.report.determinism_fingerprint);
  out->set_lost(info.lost);
}

}  // namespace riesz
