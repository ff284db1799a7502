// riesz.v1.DiscrepancyService: a thin layer over the engine.
//
// Thread safety: gRPC calls handlers at once on several threads; the service has no state of its
// own beside handles that never change.
//
// Ownership: borrows what the ServiceContext names.
#pragma once

#include "riesz/v1/discrepancy_service.grpc.pb.h"
#include "server/guard.h"
#include "server/service_context.h"

namespace riesz {

class DiscrepancyServiceImpl final
    : public v1::DiscrepancyService::WithCallbackMethod_ComputeEnergyDistance<
          v1::DiscrepancyService::WithRawCallbackMethod_ComputeGradient<
              v1::DiscrepancyService::Service>> {
 public:
  explicit DiscrepancyServiceImpl(const ServiceContext& context);

  grpc::ServerUnaryReactor* ComputeEnergyDistance(
      grpc::CallbackServerContext* context, const v1::ComputeEnergyDistanceRequest* request,
      v1::ComputeEnergyDistanceResponse* response) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* ComputeGradient(
      grpc::CallbackServerContext* context, const grpc::ByteBuffer* request) override;

 private:
  const RpcMethod& Named(std::string_view method) const {
    return service_.guard.method("riesz.v1.DiscrepancyService", method);
  }

  ServiceContext service_;
  const RpcMethod& energy_distance_ = Named("ComputeEnergyDistance");
  const RpcMethod& gradient_ = Named("ComputeGradient");
};

}  // namespace riesz
