#include "server/server_service.h"

#include "core/engine/engine.h"
#include "core/validate.h"
#include "server/build_info.h"
#include "server/convert.h"
#include "server/mutation.h"
#include "server/unary.h"

namespace riesz {

ServerServiceImpl::ServerServiceImpl(const ServiceContext& context, int64_t max_message_bytes,
                                     int64_t max_calls)
    : service_(context), max_message_bytes_(max_message_bytes), max_calls_(max_calls) {}

grpc::ServerUnaryReactor* ServerServiceImpl::GetServerInfo(grpc::CallbackServerContext* context,
                                                           const v1::GetServerInfoRequest*,
                                                           v1::GetServerInfoResponse* response) {
  return AnswerLater(service_.guard, get_server_info_, context, [&](PendingUnary& pending) {
    response->set_version(kVersion);
    response->set_commit(kCommit);
    for (const DeviceInfo& device : service_.engine.Devices()) {
      ToProto(device, response->add_devices());
    }
    FillLimits(response);
    response->set_durability(v1::DURABILITY_EPHEMERAL);
    ToProto(start_time_, response->mutable_start_time());
    service_.engine.DataSets(
        pending.call().MakeContext(),
        [&pending, response](const absl::StatusOr<std::vector<std::string>>& names) {
          if (names.ok()) {
            for (const std::string& name : *names) response->add_data_sets(name);
          }
          pending.Done(names.status());
        });
  });
}

grpc::ServerUnaryReactor* ServerServiceImpl::Ping(grpc::CallbackServerContext* context,
                                                  const v1::PingRequest*, v1::PingResponse*) {
  return AnswerNow(service_.guard, ping_, context, [](Call&) { return absl::OkStatus(); });
}

void ServerServiceImpl::FillLimits(v1::GetServerInfoResponse* response) const {
  const auto add = [response](const char* name, int64_t value, const char* unit) {
    v1::Limit* limit = response->add_limits();
    limit->set_name(name);
    limit->set_value(value);
    limit->set_unit(unit);
  };
  const EngineOptions& engine = service_.engine.options();
  add("max_chunk_bytes", kMaxChunkBytes, "bytes");
  add("max_message_bytes", max_message_bytes_, "bytes");
  add("max_inline_bytes", engine.max_inline_bytes, "bytes");
  add("max_count", kMaxCount, "particles");
  add("max_dimension", kMaxDim, "coordinates");
  add("max_slices", kMaxSlices, "slices");
  add("max_frozen_ranges", kMaxFrozenRanges, "ranges");
  add("max_target_step", kMaxTargetStep, "steps");
  add("max_ensembles", engine.max_ensembles, "ensembles");
  add("max_flows", engine.max_flows, "flows");
  add("max_uploads", engine.max_uploads, "uploads");
  add("max_queued_jobs", engine.max_queued_jobs, "jobs");
  add("max_calls", max_calls_, "calls");
  add("max_page_size", kMaxPageSize, "items");
  add("max_page_bytes", kMaxPageBytes, "bytes");
  add("max_metadata_entries", kMaxMetadataEntries, "entries");
  add("max_metadata_bytes", kMaxMetadataBytes, "bytes");
  add("max_request_id_length", kMaxRequestIdLength, "characters");
}

}  // namespace riesz
