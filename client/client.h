// A typed client of riesz.v1: unary calls, and the transfers that generated stubs make slow or
// leave to the caller (chunks, checksums, resumption).
//
//   RIESZ_ASSIGN_OR_RETURN(auto channel, Connect({.address = "127.0.0.1:7443"}));
//   Client client(channel);
//   v1::StartUploadRequest about;
//   about.set_id("x");
//   RIESZ_ASSIGN_OR_RETURN(v1::Ensemble x, client.Upload(about, matrix.view()));
//
// Thread safety: a Client may be used from many threads at once; each call blocks its thread.
//
// Errors are absl::Status with the server's code and text; core/error.h's DetailOf gives reason and
// metadata. Every mutating call gets a random request_id unless it has one, so the channel's own
// retries of UNAVAILABLE (four attempts within seconds) never apply it twice.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/matrix.h"
#include "riesz/v1/discrepancy_service.grpc.pb.h"
#include "riesz/v1/ensemble_service.grpc.pb.h"
#include "riesz/v1/flow_service.grpc.pb.h"
#include "riesz/v1/server_service.grpc.pb.h"

namespace riesz {

struct ConnectOptions {
  std::string address = "127.0.0.1:7443";  // host:port or unix:path
  std::chrono::milliseconds timeout{5000};
  // Whether a refused connection is tried again until the timeout: for servers that are starting.
  bool wait_for_server = false;
};

// A plain-text channel that has been connected once, with the retry policy above. UNAVAILABLE
// "cannot reach <address>: <why>".
absl::StatusOr<std::shared_ptr<grpc::Channel>> Connect(const ConnectOptions& options);

// 128 random bits in hexadecimal, for request ids and temporary names.
std::string RandomId();

// Bytes done and in all, from the calling thread.
using TransferProgress = std::function<void(int64_t done_bytes, int64_t total_bytes)>;

struct UploadContent {
  MatrixView particles = {};             // (n, d)
  std::span<const float> weights = {};   // empty, or n
  std::span<const int32_t> labels = {};  // empty, or n
};

struct Download {
  Matrix particles;  // (n, d)
  v1::DownloadHeader header;
};

struct GradientReply {
  v1::GradientSummary summary;
  Matrix gradient;  // (n, d), rows g_i = dD^2/dx_i; empty where the server kept it
};

class Client {
 public:
  // `timeout` bounds each call (of a transfer: each stream); 0 sets no bound. WatchFlow has none.
  explicit Client(std::shared_ptr<grpc::Channel> channel, std::chrono::milliseconds timeout = {});

  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Ends every call under way and all later ones with CANCELLED. From any thread.
  void Cancel();

  // Makes the ensemble `about.id` of the content. Of `about`, count, dimension, data_type,
  // has_weights and has_labels are filled in. The caller's memory is sent without a copy; when the
  // call returns nothing refers to it any more. A broken stream goes on at the last committed byte;
  // after five breaks without progress, and after any other error, the upload is dropped and the
  // error returned.
  absl::StatusOr<v1::Ensemble> Upload(v1::StartUploadRequest about, const UploadContent& content,
                                      const TransferProgress& progress = nullptr);

  // An ensemble's or a flow's particles, rows [first_row, first_row + row_count); row_count 0: the
  // rest. Goes on after a broken stream as Upload does; a flow's step is pinned to the first
  // answer's. DATA_LOSS for a wrong checksum.
  absl::StatusOr<Download> DownloadParticles(const v1::Particles& source, int64_t first_row = 0,
                                             int64_t row_count = 0,
                                             const TransferProgress& progress = nullptr);
  absl::StatusOr<std::vector<int32_t>> DownloadLabels(const std::string& ensemble);

  absl::StatusOr<GradientReply> ComputeGradient(v1::ComputeGradientRequest request,
                                                const TransferProgress& progress = nullptr);

  // Calls `on_flow` for each state until the stream ends or `on_flow` returns false; both are OK.
  absl::Status WatchFlow(const v1::WatchFlowRequest& request,
                         const std::function<bool(const v1::Flow&)>& on_flow);

  absl::StatusOr<v1::CreateEnsembleResponse> CreateEnsemble(v1::CreateEnsembleRequest request);
  absl::StatusOr<v1::GetEnsembleResponse> GetEnsemble(v1::GetEnsembleRequest request);
  absl::StatusOr<v1::DeleteEnsembleResponse> DeleteEnsemble(v1::DeleteEnsembleRequest request);
  // All pages.
  absl::StatusOr<v1::ListEnsemblesResponse> ListEnsembles();

  absl::StatusOr<v1::ComputeEnergyDistanceResponse> ComputeEnergyDistance(
      v1::ComputeEnergyDistanceRequest request);

  absl::StatusOr<v1::CreateFlowResponse> CreateFlow(v1::CreateFlowRequest request);
  absl::StatusOr<v1::AdvanceFlowResponse> AdvanceFlow(v1::AdvanceFlowRequest request);
  absl::StatusOr<v1::CancelFlowResponse> CancelFlow(v1::CancelFlowRequest request);
  absl::StatusOr<v1::ResetFlowResponse> ResetFlow(v1::ResetFlowRequest request);
  absl::StatusOr<v1::ForkFlowResponse> ForkFlow(v1::ForkFlowRequest request);
  absl::StatusOr<v1::SnapshotFlowResponse> SnapshotFlow(v1::SnapshotFlowRequest request);
  absl::StatusOr<v1::GetFlowResponse> GetFlow(v1::GetFlowRequest request);
  absl::StatusOr<v1::DeleteFlowResponse> DeleteFlow(v1::DeleteFlowRequest request);
  // All pages.
  absl::StatusOr<v1::ListFlowsResponse> ListFlows();

  absl::StatusOr<v1::GetServerInfoResponse> GetServerInfo();
  // grpc.health.v1 Check: "SERVING", "NOT_SERVING" or "UNKNOWN". NOT_FOUND for an unknown service.
  absl::StatusOr<std::string> CheckHealth(const std::string& service);

 private:
  class Call;

  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Unary(const std::unique_ptr<Stub>& stub,
                                 grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                              Response*),
                                 Request& request);
  // `crc32c` in: of the committed bytes; out: of everything sent so far.
  absl::StatusOr<v1::Upload> SendChunks(const v1::Upload& upload, const UploadContent& content,
                                        const TransferProgress& progress, uint32_t* crc32c);
  absl::Status SendUntilComplete(v1::Upload upload, const UploadContent& content,
                                 const TransferProgress& progress, uint32_t* crc32c);

  const std::shared_ptr<grpc::Channel> channel_;
  const std::chrono::milliseconds timeout_;
  const std::unique_ptr<v1::EnsembleService::Stub> ensembles_;
  const std::unique_ptr<v1::DiscrepancyService::Stub> discrepancies_;
  const std::unique_ptr<v1::FlowService::Stub> flows_;
  const std::unique_ptr<v1::ServerService::Stub> server_;

  std::mutex mutex_;
  bool cancelled_ = false;
  std::set<grpc::ClientContext*> calls_;  // under way
};

}  // namespace riesz
