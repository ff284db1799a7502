// riesz.v1.FlowService: a thin layer over the engine.
//
// Thread safety: gRPC calls handlers at once on several threads; the service has no state of its
// own beside handles that never change.
//
// Ownership: borrows what the ServiceContext names.
#pragma once

#include "riesz/v1/flow_service.grpc.pb.h"
#include "server/guard.h"
#include "server/service_context.h"

namespace riesz {

class FlowServiceImpl final : public v1::FlowService::CallbackService {
 public:
  explicit FlowServiceImpl(const ServiceContext& context);

  grpc::ServerUnaryReactor* CreateFlow(grpc::CallbackServerContext* context,
                                       const v1::CreateFlowRequest* request,
                                       v1::CreateFlowResponse* response) override;
  grpc::ServerUnaryReactor* AdvanceFlow(grpc::CallbackServerContext* context,
                                        const v1::AdvanceFlowRequest* request,
                                        v1::AdvanceFlowResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchFlowResponse>* WatchFlow(
      grpc::CallbackServerContext* context, const v1::WatchFlowRequest* request) override;
  grpc::ServerUnaryReactor* CancelFlow(grpc::CallbackServerContext* context,
                                       const v1::CancelFlowRequest* request,
                                       v1::CancelFlowResponse* response) override;
  grpc::ServerUnaryReactor* ResetFlow(grpc::CallbackServerContext* context,
                                      const v1::ResetFlowRequest* request,
                                      v1::ResetFlowResponse* response) override;
  grpc::ServerUnaryReactor* ForkFlow(grpc::CallbackServerContext* context,
                                     const v1::ForkFlowRequest* request,
                                     v1::ForkFlowResponse* response) override;
  grpc::ServerUnaryReactor* SnapshotFlow(grpc::CallbackServerContext* context,
                                         const v1::SnapshotFlowRequest* request,
                                         v1::SnapshotFlowResponse* response) override;
  grpc::ServerUnaryReactor* GetFlow(grpc::CallbackServerContext* context,
                                    const v1::GetFlowRequest* request,
                                    v1::GetFlowResponse* response) override;
  grpc::ServerUnaryReactor* ListFlows(grpc::CallbackServerContext* context,
                                      const v1::ListFlowsRequest* request,
                                      v1::ListFlowsResponse* response) override;
  grpc::ServerUnaryReactor* DeleteFlow(grpc::CallbackServerContext* context,
                                       const v1::DeleteFlowRequest* request,
                                       v1::DeleteFlowResponse* response) override;

 private:
  const RpcMethod& Named(std::string_view method) const {
    return service_.guard.method("riesz.v1.FlowService", method);
  }

  ServiceContext service_;
  const RpcMethod& create_ = Named("CreateFlow");
  const RpcMethod& advance_ = Named("AdvanceFlow");
  const RpcMethod& watch_ = Named("WatchFlow");
  const RpcMethod& cancel_ = Named("CancelFlow");
  const RpcMethod& reset_ = Named("ResetFlow");
  const RpcMethod& fork_ = Named("ForkFlow");
  const RpcMethod& snapshot_ = Named("SnapshotFlow");
  const RpcMethod& get_ = Named("GetFlow");
  const RpcMethod& list_ = Named("ListFlows");
  const RpcMethod& delete_ = Named("DeleteFlow");
};

}  // namespace riesz
