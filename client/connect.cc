#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "client/client.h"

namespace riesz {
namespace {

// Streams are left out: a transfer resumes by itself, and a retry by the channel would keep a copy
// of everything that was sent.
constexpr char kServiceConfig[] = R"({"methodConfig": [{
  "name": [
    {"service": "riesz.v1.ServerService", "method": "GetServerInfo"},
    {"service": "riesz.v1.DiscrepancyService", "method": "ComputeEnergyDistance"},
    {"service": "riesz.v1.EnsembleService", "method": "CreateEnsemble"},
    {"service": "riesz.v1.EnsembleService", "method": "StartUpload"},
    {"service": "riesz.v1.EnsembleService", "method": "QueryUpload"},
    {"service": "riesz.v1.EnsembleService", "method": "FinishUpload"},
    {"service": "riesz.v1.EnsembleService", "method": "AbortUpload"},
    {"service": "riesz.v1.EnsembleService", "method": "GetEnsemble"},
    {"service": "riesz.v1.EnsembleService", "method": "ListEnsembles"},
    {"service": "riesz.v1.EnsembleService", "method": "DeleteEnsemble"},
    {"service": "riesz.v1.FlowService", "method": "CreateFlow"},
    {"service": "riesz.v1.FlowService", "method": "AdvanceFlow"},
    {"service": "riesz.v1.FlowService", "method": "CancelFlow"},
    {"service": "riesz.v1.FlowService", "method": "ResetFlow"},
    {"service": "riesz.v1.FlowService", "method": "ForkFlow"},
    {"service": "riesz.v1.FlowService", "method": "SnapshotFlow"},
    {"service": "riesz.v1.FlowService", "method": "GetFlow"},
    {"service": "riesz.v1.FlowService", "method": "ListFlows"},
    {"service": "riesz.v1.FlowService", "method": "DeleteFlow"}
  ],
  "retryPolicy": {"maxAttempts": 4, "initialBackoff": "0.1s", "maxBackoff": "2s",
                  "backoffMultiplier": 3, "retryableStatusCodes": ["UNAVAILABLE"]}
}]})";

constexpr int kReconnectMs = 200;

// Why the channel is not connected: only a call's error tells.
std::string WhyNot(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(200));
  v1::PingResponse response;
  const grpc::Status status =
      v1::ServerService::NewStub(channel)->Ping(&context, v1::PingRequest(), &response);
  const std::string& text = status.error_message();
  // "failed to connect to all addresses; last error: UNKNOWN: ipv4:...: Failed to connect to remote
  // host: Connection refused": the last part is what happened.
  const size_t colon = text.rfind(": ");
  return colon == std::string::npos ? text : text.substr(colon + 2);
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> Connect(const ConnectOptions& options) {
  grpc::ChannelArguments arguments;
  arguments.SetServiceConfigJSON(kServiceConfig);
  // A proxy for the web would be asked even for 127.0.0.1 where no_proxy does not name it.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kReconnectMs);
  auto channel =
      grpc::CreateCustomChannel(options.address, grpc::InsecureChannelCredentials(), arguments);
  const auto deadline = std::chrono::system_clock::now() + options.timeout;
  while (true) {
    const grpc_connectivity_state state = channel->GetState(/*try_to_connect=*/true);
    if (state == GRPC_CHANNEL_READY) return channel;
    const bool failed = state == GRPC_CHANNEL_TRANSIENT_FAILURE && !options.wait_for_server;
    if (!failed && channel->WaitForStateChange(state, deadline)) continue;
    const std::string why = state == GRPC_CHANNEL_TRANSIENT_FAILURE
                                ? WhyNot(channel)
                                : absl::StrCat("no answer within ", options.timeout.count(), " ms");
    return absl::UnavailableError(absl::StrCat("cannot reach ", options.address, ": ", why));
  }
}

}  // namespace riesz
