// riesz.v1.EnsembleService: a thin layer over the engine.
//
// Thread safety: gRPC calls handlers at once on several threads; the service has no state of its
// own beside handles that never change.
//
// Ownership: borrows what the ServiceContext names.
#pragma once

#include "riesz/v1/ensemble_service.grpc.pb.h"
#include "server/guard.h"
#include "server/service_context.h"

namespace riesz {

// Generated callbacks for control calls; raw bytes for the two calls that carry data.
class EnsembleServiceMethods
    : public v1::EnsembleService::WithCallbackMethod_CreateEnsemble<
          v1::EnsembleService::WithCallbackMethod_StartUpload<
              v1::EnsembleService::WithRawCallbackMethod_UploadChunks<
                  v1::EnsembleService::WithCallbackMethod_QueryUpload<
                      v1::EnsembleService::WithCallbackMethod_FinishUpload<
                          v1::EnsembleService::WithCallbackMethod_AbortUpload<
                              v1::EnsembleService::WithRawCallbackMethod_DownloadEnsemble<
                                  v1::EnsembleService::WithCallbackMethod_GetEnsemble<
                                      v1::EnsembleService::WithCallbackMethod_ListEnsembles<
                                          v1::EnsembleService::WithCallbackMethod_DeleteEnsemble<
                                              v1::EnsembleService::Service>>>>>>>>>> {};

class EnsembleServiceImpl final : public EnsembleServiceMethods {
 public:
  explicit EnsembleServiceImpl(const ServiceContext& context);

  grpc::ServerUnaryReactor* CreateEnsemble(grpc::CallbackServerContext* context,
                                           const v1::CreateEnsembleRequest* request,
                                           v1::CreateEnsembleResponse* response) override;
  grpc::ServerUnaryReactor* StartUpload(grpc::CallbackServerContext* context,
                                        const v1::StartUploadRequest* request,
                                        v1::StartUploadResponse* response) override;
  grpc::ServerReadReactor<grpc::ByteBuffer>* UploadChunks(grpc::CallbackServerContext* context,
                                                          grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* QueryUpload(grpc::CallbackServerContext* context,
                                        const v1::QueryUploadRequest* request,
                                        v1::QueryUploadResponse* response) override;
  grpc::ServerUnaryReactor* FinishUpload(grpc::CallbackServerContext* context,
                                         const v1::FinishUploadRequest* request,
                                         v1::FinishUploadResponse* response) override;
  grpc::ServerUnaryReactor* AbortUpload(grpc::CallbackServerContext* context,
                                        const v1::AbortUploadRequest* request,
                                        v1::AbortUploadResponse* response) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* DownloadEnsemble(
      grpc::CallbackServerContext* context, const grpc::ByteBuffer* request) override;
  grpc::ServerUnaryReactor* GetEnsemble(grpc::CallbackServerContext* context,
                                        const v1::GetEnsembleRequest* request,
                                        v1::GetEnsembleResponse* response) override;
  grpc::ServerUnaryReactor* ListEnsembles(grpc::CallbackServerContext* context,
                                          const v1::ListEnsemblesRequest* request,
                                          v1::ListEnsemblesResponse* response) override;
  grpc::ServerUnaryReactor* DeleteEnsemble(grpc::CallbackServerContext* context,
                                           const v1::DeleteEnsembleRequest* request,
                                           v1::DeleteEnsembleResponse* response) override;

 private:
  const RpcMethod& Named(std::string_view method) const {
    return service_.guard.method("riesz.v1.EnsembleService", method);
  }

  ServiceContext service_;
  const RpcMethod& create_ = Named("CreateEnsemble");
  const RpcMethod& start_upload_ = Named("StartUpload");
  const RpcMethod& upload_chunks_ = Named("UploadChunks");
  const RpcMethod& query_upload_ = Named("QueryUpload");
  const RpcMethod& finish_upload_ = Named("FinishUpload");
  const RpcMethod& abort_upload_ = Named("AbortUpload");
  const RpcMethod& download_ = Named("DownloadEnsemble");
  const RpcMethod& get_ = Named("GetEnsemble");
  const RpcMethod& list_ = Named("ListEnsembles");
  const RpcMethod& delete_ = Named("DeleteEnsemble");
};

}  // namespace riesz
