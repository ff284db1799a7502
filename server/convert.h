// The one place where riesz.v1 messages become the engine's values, and back.
//
// Reading is strict about form: unknown enum values, non-finite numbers, missing oneofs, malformed
// ids and lengths that do not fit are INVALID_ARGUMENT with the field's path. What depends on
// resources (do the dimensions agree? is there memory?) is the engine's to check.
//
// Thread safety: the functions are pure, except that a new expire_time is compared with the clock.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "core/engine/engine.h"
#include "riesz/v1/discrepancy_service.pb.h"
#include "riesz/v1/ensemble_service.pb.h"
#include "riesz/v1/flow_service.pb.h"
#include "riesz/v1/particles.pb.h"
#include "riesz/v1/server_service.pb.h"

namespace riesz {

inline constexpr int64_t kMaxChunkBytes = 1 << 20;  // of one data message, both ways
inline constexpr int64_t kMaxTargetStep = int64_t{1} << 40;
inline constexpr int64_t kMaxMeasureEvery = 1'000'000;
inline constexpr int64_t kMaxPageSize = 1000;
inline constexpr int64_t kMaxMetadataEntries = 64;
inline constexpr int64_t kMaxMetadataBytes = 256;  // of one key or value

// --- messages to values ---

// Ids are 1 to 63 of a-z, 0-9 and '-', begin with a letter and do not end with '-'.
absl::Status CheckId(std::string_view field, std::string_view id);

// `field` is the operand's path, e.g. "request.x".
absl::StatusOr<ParticlesRef> FromProto(const v1::Particles& particles, std::string_view field);
absl::StatusOr<DirectionRequest> FromProto(const v1::Directions& directions,
                                           std::string_view field);
absl::StatusOr<EnergyDistanceRequest> FromProto(const v1::ComputeEnergyDistanceRequest& request);
absl::StatusOr<GradientRequest> FromProto(const v1::ComputeGradientRequest& request);

struct NewEnsemble {
  EnsembleTraits traits;
  EnsembleSource source;
};
absl::StatusOr<NewEnsemble> FromProto(const v1::CreateEnsembleRequest& request);
absl::StatusOr<UploadRequest> FromProto(const v1::StartUploadRequest& request);

absl::StatusOr<FlowParametersRequest> FromProto(const v1::FlowParameters& parameters);
absl::StatusOr<NewFlowRequest> FromProto(const v1::CreateFlowRequest& request);
absl::StatusOr<ForkFlowRequest> FromProto(const v1::ForkFlowRequest& request);
absl::Status CheckTargetStep(int64_t step);
// The least time between two messages; 0.1 s where absent.
absl::StatusOr<std::chrono::milliseconds> WatchInterval(const v1::WatchFlowRequest& request);

absl::StatusOr<PageRequest> MakePageRequest(int32_t size, const std::string& token);
template <typename ListRequest>
absl::StatusOr<PageRequest> PageFromProto(const ListRequest& request) {
  return MakePageRequest(request.page_size(), request.page_token());
}

// --- values to messages ---

void ToProto(const EnsembleInfo& info, v1::Ensemble* out);
void ToProto(const UploadInfo& info, v1::Upload* out);
void ToProto(const SampleShape& shape, v1::SampleShape* out);
void ToProto(const ResolvedShape& shape, v1::ResolvedParticles* out);
void ToProto(const DirectionSpec& spec, v1::Directions* out);
void ToProto(const EnergyDistanceReply& reply, v1::ComputeEnergyDistanceResponse* out);
// Everything but total_bytes.
void ToProto(const GradientReply& reply, v1::GradientSummary* out);
void ToProto(const FlowInfo& info, v1::Flow* out);
void ToProto(const DeviceInfo& info, v1::Device* out);
void ToProto(WallTime time, google::protobuf::Timestamp* out);

}  // namespace riesz
