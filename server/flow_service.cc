#include "server/flow_service.h"

#include <utility>

#include "core/engine/engine.h"
#include "core/status_macros.h"
#include "server/convert.h"
#include "server/mutation.h"
#include "server/unary.h"
#include "server/watch_stream.h"

namespace riesz {
namespace {

// The engine's callback for responses that hold a flow.
template <typename Response>
Callback<FlowInfo> FlowAnswer(Response* response, const MutationDone& done) {
  return [response, done](const absl::StatusOr<FlowInfo>& info) {
    if (info.ok()) ToProto(*info, response->mutable_flow());
    done(info.status());
  };
}

}  // namespace

FlowServiceImpl::FlowServiceImpl(const ServiceContext& context) : service_(context) {}

grpc::ServerUnaryReactor* FlowServiceImpl::CreateFlow(grpc::CallbackServerContext* context,
                                                      const v1::CreateFlowRequest* request,
                                                      v1::CreateFlowResponse* response) {
  return AnswerMutation(
      service_.guard, service_.requests, create_, context, request, response,
      [&engine = service_.engine, request, response](Call& call, const MutationDone& done) {
        absl::StatusOr<NewFlowRequest> flow = FromProto(*request);
        if (!flow.ok()) return done(flow.status());
        engine.CreateFlow(call.MakeContext(), *std::move(flow), FlowAnswer(response, done));
      });
}

grpc::ServerUnaryReactor* FlowServiceImpl::AdvanceFlow(grpc::CallbackServerContext* context,
                                                       const v1::AdvanceFlowRequest* request,
                                                       v1::AdvanceFlowResponse* response) {
  return AnswerMutation(
      service_.guard, service_.requests, advance_, context, request, response,
      [&engine = service_.engine, request, response](Call& call, const MutationDone& done) {
        absl::Status status = CheckId("id", request->id());
        if (status.ok()) status = CheckTargetStep(request->target_step());
        if (!status.ok()) return done(status);
        FlowAnswer(response, done)(
            engine.AdvanceFlow(call.MakeContext(), request->id(), request->target_step()));
      });
}

grpc::ServerWriteReactor<v1::WatchFlowResponse>* FlowServiceImpl::WatchFlow(
    grpc::CallbackServerContext* context, const v1::WatchFlowRequest* request) {
  return new WatchStream(service_.engine, service_.guard, watch_, context, *request);
}

grpc::ServerUnaryReactor* FlowServiceImpl::CancelFlow(grpc::CallbackServerContext* context,
                                                      const v1::CancelFlowRequest* request,
                                                      v1::CancelFlowResponse* response) {
  return AnswerMutation(
      service_.guard, service_.requests, cancel_, context, request, response,
      [&engine = service_.engine, request, response](Call& call, const MutationDone& done) {
        if (absl::Status valid = CheckId("id", request->id()); !valid.ok()) return done(valid);
        engine.CancelFlow(call.MakeContext(), request->id(), FlowAnswer(response, done));
      });
}

grpc::ServerUnaryReactor* FlowServiceImpl::ResetFlow(grpc::CallbackServerContext* context,
                                                     const v1::ResetFlowRequest* request,
                                                     v1::ResetFlowResponse* response) {
  return AnswerMutation(
      service_.guard, service_.requests, reset_, context, request, response,
      [&engine = service_.engine, request, response](Call& call, const MutationDone& done) {
        if (absl::Status valid = CheckId("id", request->id()); !valid.ok()) return done(valid);
        engine.ResetFlow(call.MakeContext(), request->id(), FlowAnswer(response, done));
      });
}

grpc::ServerUnaryReactor* FlowServiceImpl::ForkFlow(grpc::CallbackServerContext* context,
                                                    const v1::ForkFlowRequest* request,
                                                    v1::ForkFlowResponse* response) {
  return AnswerMutation(
      service_.guard, service_.requests, fork_, context, request, response,
      [&engine = service_.engine, request, response](Call& call, const MutationDone& done) {
        absl::StatusOr<ForkFlowRequest> fork = FromProto(*request);
        if (!fork.ok()) return done(fork.status());
        engine.ForkFlow(call.MakeContext(), *std::move(fork), FlowAnswer(response, done));
      });
}

grpc::ServerUnaryReactor* FlowServiceImpl::SnapshotFlow(grpc::CallbackServerContext* context,
                                                        const v1::SnapshotFlowRequest* request,
                                                        v1::SnapshotFlowResponse* response) {
  return AnswerMutation(
      service_.guard, service_.requests, snapshot_, context, request, response,
      [&engine = service_.engine, request, response](Call& call, const MutationDone& done) {
        absl::Status status = CheckId("id", request->id());
        if (status.ok()) status = CheckId("ensemble_id", request->ensemble_id());
        if (!status.ok()) return done(status);
        EnsembleTraits traits;
        traits.id = request->ensemble_id();
        engine.SnapshotFlow(call.MakeContext(), request->id(), std::move(traits),
                            [response, done](const absl::StatusOr<Engine::FlowSnapshot>& snapshot) {
                              if (snapshot.ok()) {
                                ToProto(snapshot->ensemble, response->mutable_ensemble());
                                response->set_step(snapshot->step);
                              }
                              done(snapshot.status());
                            });
      });
}

grpc::ServerUnaryReactor* FlowServiceImpl::GetFlow(grpc::CallbackServerContext* context,
                                                   const v1::GetFlowRequest* request,
                                                   v1::GetFlowResponse* response) {
  return AnswerNow(service_.guard, get_, context, [&](Call& call) -> absl::Status {
    RIESZ_RETURN_IF_ERROR(CheckId("id", request->id()));
    RIESZ_ASSIGN_OR_RETURN(const FlowInfo info,
                           service_.engine.GetFlow(call.MakeContext(), request->id()));
    ToProto(info, response->mutable_flow());
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* FlowServiceImpl::ListFlows(grpc::CallbackServerContext* context,
                                                     const v1::ListFlowsRequest* request,
                                                     v1::ListFlowsResponse* response) {
  return AnswerNow(service_.guard, list_, context, [&](Call& call) -> absl::Status {
    RIESZ_ASSIGN_OR_RETURN(const PageRequest page_request, PageFromProto(*request));
    RIESZ_ASSIGN_OR_RETURN(Page<FlowInfo> page,
                           service_.engine.ListFlows(call.MakeContext(), page_request));
    for (const FlowInfo& info : page.items) ToProto(info, response->add_flows());
    response->set_next_page_token(std::move(page.next_page_token));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* FlowServiceImpl::DeleteFlow(grpc::CallbackServerContext* context,
                                                      const v1::DeleteFlowRequest* request,
                                                      v1::DeleteFlowResponse* response) {
  return AnswerMutation(service_.guard, service_.requests, delete_, context, request, response,
                        [&engine = service_.engine, request](Call& call, const MutationDone& done) {
                          if (absl::Status valid = CheckId("id", request->id()); !valid.ok())
                            return done(valid);
                          engine.DeleteFlow(call.MakeContext(), request->id(),
                                            [done](const absl::StatusOr<std::monostate>& gone) {
                                              done(gone.status());
                                            });
                        });
}

}  // namespace riesz
