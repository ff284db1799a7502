#include "client/client.h"

#include <google/protobuf/wrappers.pb.h>
#include <grpcpp/generic/generic_stub.h>

#include <random>
#include <utility>

#include "absl/strings/str_format.h"
#include "client/client_call.h"
#include "client/grpc_error.h"
#include "core/status_macros.h"

namespace riesz {
namespace {

constexpr int kPageSize = 1000;

}  // namespace

std::string RandomId() {
  std::random_device device;
  const auto word = [&] { return static_cast<uint64_t>(device()) << 32 | device(); };
  const uint64_t high = word();
  return absl::StrFormat("%016x%016x", high, word());
}

Client::Client(std::shared_ptr<grpc::Channel> channel, std::chrono::milliseconds timeout)
    : channel_(std::move(channel)),
      timeout_(timeout),
      ensembles_(v1::EnsembleService::NewStub(channel_)),
      discrepancies_(v1::DiscrepancyService::NewStub(channel_)),
      flows_(v1::FlowService::NewStub(channel_)),
      server_(v1::ServerService::NewStub(channel_)) {}

Client::Call::Call(Client& client, bool bounded) : client_(client) {
  if (bounded && client.timeout_.count() > 0) {
    context_.set_deadline(std::chrono::system_clock::now() + client.timeout_);
  }
  const std::lock_guard lock(client_.mutex_);
  client_.calls_.insert(&context_);
  // A context that is cancelled before its call begins ends the call at once.
  if (client_.cancelled_) context_.TryCancel();
}

Client::Call::~Call() {
  const std::lock_guard lock(client_.mutex_);
  client_.calls_.erase(&context_);
}

void Client::Cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  for (grpc::ClientContext* context : calls_) context->TryCancel();
}

absl::StatusOr<v1::CreateEnsembleResponse> Client::CreateEnsemble(
    v1::CreateEnsembleRequest request) {
  return Unary(ensembles_, &v1::EnsembleService::Stub::CreateEnsemble, request);
}

absl::StatusOr<v1::GetEnsembleResponse> Client::GetEnsemble(v1::GetEnsembleRequest request) {
  return Unary(ensembles_, &v1::EnsembleService::Stub::GetEnsemble, request);
}

absl::StatusOr<v1::DeleteEnsembleResponse> Client::DeleteEnsemble(
    v1::DeleteEnsembleRequest request) {
  return Unary(ensembles_, &v1::EnsembleService::Stub::DeleteEnsemble, request);
}

absl::StatusOr<v1::ListEnsemblesResponse> Client::ListEnsembles() {
  v1::ListEnsemblesResponse all;
  v1::ListEnsemblesRequest request;
  request.set_page_size(kPageSize);
  do {
    RIESZ_ASSIGN_OR_RETURN(v1::ListEnsemblesResponse page,
                           Unary(ensembles_, &v1::EnsembleService::Stub::ListEnsembles, request));
    all.mutable_ensembles()->MergeFrom(page.ensembles());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return all;
}

absl::StatusOr<v1::ComputeEnergyDistanceResponse> Client::ComputeEnergyDistance(
    v1::ComputeEnergyDistanceRequest request) {
  return Unary(discrepancies_, &v1::DiscrepancyService::Stub::ComputeEnergyDistance, request);
}

absl::StatusOr<v1::CreateFlowResponse> Client::CreateFlow(v1::CreateFlowRequest request) {
  return Unary(flows_, &v1::FlowService::Stub::CreateFlow, request);
}

absl::StatusOr<v1::AdvanceFlowResponse> Client::AdvanceFlow(v1::AdvanceFlowRequest request) {
  return Unary(flows_, &v1::FlowService::Stub::AdvanceFlow, request);
}

absl::StatusOr<v1::CancelFlowResponse> Client::CancelFlow(v1::CancelFlowRequest request) {
  return Unary(flows_, &v1::FlowService::Stub::CancelFlow, request);
}

absl::StatusOr<v1::ResetFlowResponse> Client::ResetFlow(v1::ResetFlowRequest request) {
  return Unary(flows_, &v1::FlowService::Stub::ResetFlow, request);
}

absl::StatusOr<v1::ForkFlowResponse> Client::ForkFlow(v1::ForkFlowRequest request) {
  return Unary(flows_, &v1::FlowService::Stub::ForkFlow, request);
}

absl::StatusOr<v1::SnapshotFlowResponse> Client::SnapshotFlow(v1::SnapshotFlowRequest request) {
  return Unary(flows_, &v1::FlowService::Stub::SnapshotFlow, request);
}

absl::StatusOr<v1::GetFlowResponse> Client::GetFlow(v1::GetFlowRequest request) {
  return Unary(flows_, &v1::FlowService::Stub::GetFlow, request);
}

absl::StatusOr<v1::DeleteFlowResponse> Client::DeleteFlow(v1::DeleteFlowRequest request) {
  return Unary(flows_, &v1::FlowService::Stub::DeleteFlow, request);
}

absl::StatusOr<v1::ListFlowsResponse> Client::ListFlows() {
  v1::ListFlowsResponse all;
  v1::ListFlowsRequest request;
  request.set_page_size(kPageSize);
  do {
    RIESZ_ASSIGN_OR_RETURN(v1::ListFlowsResponse page,
                           Unary(flows_, &v1::FlowService::Stub::ListFlows, request));
    all.mutable_flows()->MergeFrom(page.flows());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return all;
}

absl::Status Client::WatchFlow(const v1::WatchFlowRequest& request,
                               const std::function<bool(const v1::Flow&)>& on_flow) {
  Call call(*this, /*bounded=*/false);
  const auto reader = flows_->WatchFlow(call.context(), request);
  v1::WatchFlowResponse response;
  bool wanted = true;
  while (wanted && reader->Read(&response)) wanted = on_flow(response.flow());
  if (!wanted) call.context()->TryCancel();
  const absl::Status status = FromGrpcStatus(reader->Finish());
  return wanted ? status : absl::OkStatus();
}

absl::StatusOr<v1::GetServerInfoResponse> Client::GetServerInfo() {
  v1::GetServerInfoRequest request;
  return Unary(server_, &v1::ServerService::Stub::GetServerInfo, request);
}

absl::StatusOr<std::string> Client::CheckHealth(const std::string& service) {
  // grpc.health.v1 is { string service = 1 } and { ServingStatus status = 1 } on the wire, which is
  // that of the two wrappers; Debian ships no stubs for it.
  using google::protobuf::Int32Value;
  using google::protobuf::StringValue;
  StringValue request;
  request.set_value(service);
  Call call(*this);
  grpc::CompletionQueue queue;
  const auto reader =
      grpc::TemplatedGenericStub<StringValue, Int32Value>(channel_).PrepareUnaryCall(
          call.context(), "/grpc.health.v1.Health/Check", request, &queue);
  Int32Value response;
  grpc::Status status;
  reader->StartCall();
  reader->Finish(&response, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  RIESZ_RETURN_IF_ERROR(FromGrpcStatus(status));
  return response.value() == 1 ? "SERVING" : response.value() == 2 ? "NOT_SERVING" : "UNKNOWN";
}

}  // namespace riesz
