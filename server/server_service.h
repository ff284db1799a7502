// riesz.v1.ServerService: what the server is, and an empty call.
//
// Thread safety: as the other services.
//
// Ownership: borrows what the ServiceContext names.
#pragma once

#include "core/engine/requests.h"
#include "riesz/v1/server_service.grpc.pb.h"
#include "server/guard.h"
#include "server/service_context.h"

namespace riesz {

class ServerServiceImpl final : public v1::ServerService::CallbackService {
 public:
  ServerServiceImpl(const ServiceContext& context, int64_t max_message_bytes, int64_t max_calls);

  grpc::ServerUnaryReactor* GetServerInfo(grpc::CallbackServerContext* context,
                                          const v1::GetServerInfoRequest* request,
                                          v1::GetServerInfoResponse* response) override;
  grpc::ServerUnaryReactor* Ping(grpc::CallbackServerContext* context,
                                 const v1::PingRequest* request,
                                 v1::PingResponse* response) override;

 private:
  const RpcMethod& Named(std::string_view method) const {
    return service_.guard.method("riesz.v1.ServerService", method);
  }
  void FillLimits(v1::GetServerInfoResponse* response) const;

  ServiceContext service_;
  const int64_t max_message_bytes_;
  const int64_t max_calls_;
  const WallTime start_time_ = std::chrono::system_clock::now();
  const RpcMethod& get_server_info_ = Named("GetServerInfo");
  const RpcMethod& ping_ = Named("Ping");
};

}  // namespace riesz
