// A server in this process on a port of its own, with a fake backend, and stubs that speak to it.
#pragma once

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>

#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "core/crc32c.h"
#include "core/error.h"
#include "riesz/v1/discrepancy_service.grpc.pb.h"
#include "riesz/v1/ensemble_service.grpc.pb.h"
#include "riesz/v1/flow_service.grpc.pb.h"
#include "riesz/v1/server_service.grpc.pb.h"
#include "server/server.h"
#include "server/status_details.pb.h"
#include "tests/support/fake_backend.h"

namespace riesz {

// The reason in an error's details; "" where there is none.
inline std::string ReasonOf(const grpc::Status& status) {
  internal::StatusDetails details;
  internal::ErrorInfo info;
  if (!details.ParseFromString(status.error_details()) || details.details_size() != 1 ||
      !info.ParseFromString(details.details(0).value()) || info.domain() != "riesz.v1") {
    return "";
  }
  return info.reason();
}

// A status with this code and reason.
MATCHER_P2(IsError, code, reason, "") {
  *result_listener << arg.error_code() << " " << ReasonOf(arg) << " '" << arg.error_message()
                   << "'";
  return arg.error_code() == code && ReasonOf(arg) == reason;
}

inline uint32_t CrcOf(const std::string& bytes) {
  return Crc32c(std::as_bytes(std::span<const char>(bytes)));
}

class RpcTest : public testing::Test {
 protected:
  void StartServer(FakeBackendOptions fake = {}, ServerOptions options = {}) {
    auto backend = std::make_unique<FakeBackend>(std::move(fake));
    backend_ = backend.get();
    std::vector<std::unique_ptr<Backend>> backends;
    backends.push_back(std::move(backend));
    StartServerOn(std::move(backends), std::move(options));
  }
  void StartServerOn(std::vector<std::unique_ptr<Backend>> backends, ServerOptions options) {
    options.listen = {"127.0.0.1:0"};
    auto server = Server::Start(options, std::move(backends));
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    channel_ = grpc::CreateChannel(server_->addresses()[0], grpc::InsecureChannelCredentials());
    ensembles_ = v1::EnsembleService::NewStub(channel_);
    discrepancies_ = v1::DiscrepancyService::NewStub(channel_);
    flows_ = v1::FlowService::NewStub(channel_);
    info_ = v1::ServerService::NewStub(channel_);
  }

  // One unary call; `stub_method` is e.g. &v1::FlowService::Stub::GetFlow.
  template <typename Stub, typename Request, typename Response>
  grpc::Status Call(const std::unique_ptr<Stub>& stub,
                    grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response* response = nullptr) {
    grpc::ClientContext context;
    Response unread;
    return ((*stub).*method)(&context, request, response == nullptr ? &unread : response);
  }

  grpc::Status Create(const std::string& id, const std::string& request_id = "",
                      int64_t count = 4) {
    v1::CreateEnsembleRequest request;
    request.set_id(id);
    request.set_request_id(request_id);
    request.mutable_generator()->set_distribution(v1::Generator::DISTRIBUTION_UNIFORM);
    request.mutable_generator()->set_count(count);
    request.mutable_generator()->set_dimension(2);
    request.mutable_generator()->set_seed(1);
    return Call(ensembles_, &v1::EnsembleService::Stub::CreateEnsemble, request);
  }

  grpc::Status CreateFlow(const std::string& id) {
    v1::CreateFlowRequest request;
    request.set_id(id);
    request.mutable_start()->set_ensemble("x");
    request.set_target("y");
    return Call(flows_, &v1::FlowService::Stub::CreateFlow, request);
  }

  grpc::Status Advance(const std::string& id, int64_t step, v1::Flow* flow = nullptr) {
    v1::AdvanceFlowRequest request;
    request.set_id(id);
    request.set_target_step(step);
    v1::AdvanceFlowResponse response;
    const grpc::Status status =
        Call(flows_, &v1::FlowService::Stub::AdvanceFlow, request, &response);
    if (flow != nullptr) *flow = response.flow();
    return status;
  }

  grpc::Status Distance(const std::string& x, const std::string& y,
                        v1::ComputeEnergyDistanceResponse* response = nullptr) {
    v1::ComputeEnergyDistanceRequest request;
    request.mutable_x()->set_ensemble(x);
    request.mutable_y()->set_ensemble(y);
    return Call(discrepancies_, &v1::DiscrepancyService::Stub::ComputeEnergyDistance, request,
                response);
  }

  // Id of a new upload of `floats` numbers in one column.
  std::string StartUpload(const std::string& id, int64_t floats) {
    v1::StartUploadRequest request;
    request.set_id(id);
    request.set_count(floats);
    request.set_dimension(1);
    v1::StartUploadResponse response;
    const grpc::Status status =
        Call(ensembles_, &v1::EnsembleService::Stub::StartUpload, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.upload().id();
  }

  static v1::UploadChunksRequest Chunk(const std::string& upload, int64_t offset,
                                       const std::string& data) {
    v1::UploadChunksRequest chunk;
    chunk.set_upload_id(upload);
    chunk.set_offset(offset);
    chunk.set_crc32c(CrcOf(data));
    chunk.set_data(data);
    return chunk;
  }

  grpc::Status Send(const std::vector<v1::UploadChunksRequest>& chunks,
                    v1::UploadChunksResponse* response = nullptr) {
    grpc::ClientContext context;
    v1::UploadChunksResponse unread;
    const auto writer =
        ensembles_->UploadChunks(&context, response == nullptr ? &unread : response);
    for (const v1::UploadChunksRequest& chunk : chunks) {
      if (!writer->Write(chunk)) break;
    }
    writer->WritesDone();
    return writer->Finish();
  }

  grpc::Status FinishUpload(const std::string& upload, uint32_t crc,
                            const std::string& request_id = "") {
    v1::FinishUploadRequest request;
    request.set_upload_id(upload);
    request.set_crc32c(crc);
    request.set_request_id(request_id);
    return Call(ensembles_, &v1::EnsembleService::Stub::FinishUpload, request);
  }

  grpc::Status Download(const v1::DownloadEnsembleRequest& request, std::string* data) {
    grpc::ClientContext context;
    const auto reader = ensembles_->DownloadEnsemble(&context, request);
    v1::DownloadEnsembleResponse message;
    bool first = true;
    while (reader->Read(&message)) {
      EXPECT_EQ(message.has_header(), first);
      EXPECT_EQ(message.offset(), static_cast<int64_t>(data->size()));
      if (!first) {
        EXPECT_EQ(message.crc32c(), CrcOf(message.data()));
      }
      data->append(message.data());
      first = false;
    }
    return reader->Finish();
  }

  // The bytes of 0, 1, 2, ... as float32.
  static std::string Counting(int64_t floats) {
    std::vector<float> values(static_cast<size_t>(floats));
    std::iota(values.begin(), values.end(), 0.0f);
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
  }

  void ExpectAlive() {
    const grpc::Status status = Call(info_, &v1::ServerService::Stub::Ping, v1::PingRequest());
    EXPECT_TRUE(status.ok()) << status.error_message();
  }

  FakeBackend* backend_ = nullptr;  // the server's
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::EnsembleService::Stub> ensembles_;
  std::unique_ptr<v1::DiscrepancyService::Stub> discrepancies_;
  std::unique_ptr<v1::FlowService::Stub> flows_;
  std::unique_ptr<v1::ServerService::Stub> info_;
};

}  // namespace riesz
