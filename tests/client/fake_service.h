// A server of riesz.v1 in this process that breaks streams, corrupts chunks and refuses calls on
// demand.
#pragma once

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/crc32c.h"
#include "riesz/v1/ensemble_service.grpc.pb.h"
#include "riesz/v1/flow_service.grpc.pb.h"

namespace riesz {

inline uint32_t ChecksumOf(const std::string& bytes) {
  return Crc32c(std::as_bytes(std::span(bytes)));
}

// What the tests set before a call and what the server saw, to read after it.
struct FakeState {
  // Set by tests.
  int64_t chunk_bytes = 1 << 20;
  int breaks = 0;             // upload or download streams to break
  int chunks_per_stream = 0;  // kept (or sent) before each break
  bool lie_about_committed = false;
  bool corrupt_chunks = false;
  int64_t wrong_total_bytes = 0;       // announced instead of the true size
  std::vector<grpc::Status> finishes;  // answers of FinishUpload before it succeeds
  std::string content;                 // what DownloadEnsemble sends
  int64_t dimension = 1;

  // Seen.
  v1::StartUploadRequest started;
  std::string received;
  std::vector<int64_t> stream_offsets;   // where each upload stream began
  std::vector<int64_t> first_rows;       // of each download
  std::vector<v1::Particles> sources;    // of each download
  std::vector<std::string> request_ids;  // of each FinishUpload
  size_t longest_chunk = 0;
  uint32_t finish_crc32c = 0;
  int aborts = 0;
};

// A FakeState and its lock. What is written -> is locked to the end of the statement; a handler
// holds it throughout.
class GuardedState {
 public:
  class Access {
   public:
    explicit Access(GuardedState& guarded) : state_(guarded.state_), lock_(guarded.mutex_) {}
    FakeState* operator->() { return &state_; }
    const FakeState* operator->() const { return &state_; }

   private:
    FakeState& state_;
    std::unique_lock<std::recursive_mutex> lock_;
  };
  Access operator()() { return Access(*this); }

 private:
  FakeState state_;
  std::recursive_mutex mutex_;  // a statement may ask twice
};

class FakeEnsembles final : public v1::EnsembleService::Service {
 public:
  explicit FakeEnsembles(GuardedState& state) : state_(state) {}

  grpc::Status StartUpload(grpc::ServerContext*, const v1::StartUploadRequest* request,
                           v1::StartUploadResponse* response) override {
    auto state = state_();
    state->started = *request;
    FillUpload(response->mutable_upload());
    return grpc::Status::OK;
  }

  grpc::Status UploadChunks(grpc::ServerContext*, grpc::ServerReader<v1::UploadChunksRequest>* in,
                            v1::UploadChunksResponse* response) override {
    auto state = state_();
    state->stream_offsets.push_back(static_cast<int64_t>(state->received.size()));
    v1::UploadChunksRequest chunk;
    for (int i = 0; state->breaks == 0 || i < state->chunks_per_stream; ++i) {
      if (!in->Read(&chunk)) {
        FillUpload(response->mutable_upload());
        return grpc::Status::OK;
      }
      if ((i == 0) != (chunk.upload_id() == "u1")) {
        return {grpc::StatusCode::INVALID_ARGUMENT, "upload_id belongs in the first message"};
      }
      if (chunk.offset() != static_cast<int64_t>(state->received.size())) {
        return {grpc::StatusCode::OUT_OF_RANGE, "another offset was next"};
      }
      if (chunk.crc32c() != ChecksumOf(chunk.data())) {
        return {grpc::StatusCode::DATA_LOSS, "wrong checksum"};
      }
      state->longest_chunk = std::max(state->longest_chunk, chunk.data().size());
      state->received += chunk.data();
    }
    --state->breaks;
    return {grpc::StatusCode::UNAVAILABLE, "the stream broke"};
  }

  grpc::Status QueryUpload(grpc::ServerContext*, const v1::QueryUploadRequest*,
                           v1::QueryUploadResponse* response) override {
    FillUpload(response->mutable_upload());
    return grpc::Status::OK;
  }

  grpc::Status FinishUpload(grpc::ServerContext*, const v1::FinishUploadRequest* request,
                            v1::FinishUploadResponse* response) override {
    auto state = state_();
    state->request_ids.push_back(request->request_id());
    if (state->request_ids.size() <= state->finishes.size()) {
      return state->finishes[state->request_ids.size() - 1];
    }
    state->finish_crc32c = request->crc32c();
    response->mutable_ensemble()->set_id(state->started.id());
    return grpc::Status::OK;
  }

  grpc::Status AbortUpload(grpc::ServerContext*, const v1::AbortUploadRequest*,
                           v1::AbortUploadResponse*) override {
    auto state = state_();
    ++state->aborts;
    return grpc::Status::OK;
  }

  grpc::Status DownloadEnsemble(grpc::ServerContext*, const v1::DownloadEnsembleRequest* request,
                                grpc::ServerWriter<v1::DownloadEnsembleResponse>* out) override {
    auto state = state_();
    state->first_rows.push_back(request->first_row());
    state->sources.push_back(request->source());
    const int64_t row_bytes = state->dimension * 4;
    const std::string rows =
        state->content.substr(static_cast<size_t>(request->first_row() * row_bytes));
    v1::DownloadEnsembleResponse message;
    v1::DownloadHeader* header = message.mutable_header();
    header->set_total_bytes(state->wrong_total_bytes != 0 ? state->wrong_total_bytes
                                                          : static_cast<int64_t>(rows.size()));
    header->mutable_resolved()->set_count(static_cast<int64_t>(state->content.size()) / row_bytes);
    header->mutable_resolved()->set_dimension(state->dimension);
    if (request->source().has_flow()) header->mutable_resolved()->set_flow_step(12);
    out->Write(message);
    message.Clear();
    int sent = 0;
    for (size_t at = 0; at < rows.size(); at += message.data().size()) {
      if (state->breaks > 0 && sent++ == state->chunks_per_stream) {
        --state->breaks;
        return {grpc::StatusCode::UNAVAILABLE, "the stream broke"};
      }
      message.set_offset(static_cast<int64_t>(at));
      message.set_data(rows.substr(at, static_cast<size_t>(state->chunk_bytes)));
      message.set_crc32c(ChecksumOf(message.data()) + (state->corrupt_chunks ? 1 : 0));
      out->Write(message);
    }
    return grpc::Status::OK;
  }

 private:
  void FillUpload(v1::Upload* upload) const {
    auto state = state_();
    upload->set_id("u1");
    upload->set_ensemble_id(state->started.id());
    const v1::StartUploadRequest& s = state->started;
    upload->set_total_bytes(
        s.count() * (s.dimension() * 4 + (s.has_weights() ? 4 : 0) + (s.has_labels() ? 4 : 0)));
    upload->set_committed_bytes(static_cast<int64_t>(state->received.size()));
    upload->set_committed_crc32c(ChecksumOf(state->received) +
                                 (state->lie_about_committed ? 1 : 0));
    upload->set_max_chunk_bytes(state->chunk_bytes);
  }

  GuardedState& state_;
};

// A flow that runs until its watcher goes.
class FakeFlows final : public v1::FlowService::Service {
 public:
  grpc::Status WatchFlow(grpc::ServerContext* context, const v1::WatchFlowRequest* request,
                         grpc::ServerWriter<v1::WatchFlowResponse>* out) override {
    v1::WatchFlowResponse response;
    response.mutable_flow()->set_id(request->id());
    while (!context->IsCancelled() && out->Write(response)) {
      response.mutable_flow()->set_step(response.flow().step() + 1);
    }
    return grpc::Status::CANCELLED;
  }
};

class FakeServer {
 public:
  FakeServer() : ensembles_(state) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&ensembles_);
    builder.RegisterService(&flows_);
    server_ = builder.BuildAndStart();
    address = "127.0.0.1:" + std::to_string(port);
  }
  ~FakeServer() { server_->Shutdown(std::chrono::system_clock::now()); }

  GuardedState state;
  std::string address;

 private:
  FakeEnsembles ensembles_;
  FakeFlows flows_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace riesz
