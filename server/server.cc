#include "server/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/available_threads.h"
#include "core/engine/request_log.h"
#include "core/status_macros.h"
#include "server/discrepancy_service.h"
#include "server/ensemble_service.h"
#include "server/flow_service.h"
#include "server/log.h"
#include "server/server_service.h"

namespace riesz {
namespace {

// What gRPC may buffer for all connections together, beyond the engine's ledger.
constexpr size_t kTransportBufferBytes = size_t{512} << 20;

EngineOptions MakeEngineOptions(const ServerOptions& options, const Clock& clock,
                                MetricsSink* metrics) {
  EngineOptions engine;
  engine.memory_limit_bytes = options.memory_limit_bytes;
  engine.quantum = options.quantum;
  engine.max_queued_jobs = options.max_queued_jobs;
  engine.io_threads = options.io_threads;
  engine.data_dir = options.data_dir;
  engine.clock = &clock;
  engine.metrics = metrics;
  return engine;
}

// Health and reflection are gRPC's own; both must be asked for before a builder exists.
void EnablePlugins() {
  static const bool enabled = [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    return true;
  }();
  (void)enabled;
}

void SetLimits(const ServerOptions& options, grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(static_cast<int>(options.max_message_bytes));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.max_concurrent_streams);
  // Two servers on one port would share connections at random.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.SetResourceQuota(grpc::ResourceQuota("rieszd")
                               .Resize(kTransportBufferBytes)
                               .SetMaxThreads(4 * AvailableThreads() + 8));
  // Only reflection is answered synchronously; our own services run on gRPC's callback threads.
  using SyncOption = grpc::ServerBuilder::SyncServerOption;
  builder.SetSyncServerOption(SyncOption::NUM_CQS, 1);
  builder.SetSyncServerOption(SyncOption::MIN_POLLERS, 1);
  builder.SetSyncServerOption(SyncOption::MAX_POLLERS, 2);
}

std::string WithPort(const std::string& address, int port) {
  if (address.starts_with("unix:")) return address;
  return absl::StrCat(address.substr(0, address.rfind(':')), ":", port);
}

}  // namespace

Server::Server() = default;

absl::StatusOr<std::unique_ptr<Server>> Server::Start(
    const ServerOptions& options, std::vector<std::unique_ptr<Backend>> backends,
    const Clock& clock) {
  RIESZ_RETURN_IF_ERROR(CheckListenAddresses(options));
  std::unique_ptr<Server> server(new Server());
  std::vector<std::string> devices;
  for (const auto& backend : backends) devices.push_back(backend->Report().name);
  server->metrics_ = std::make_unique<Metrics>(devices);
  EngineOptions engine_options = MakeEngineOptions(options, clock, server->metrics_.get());
  engine_options.on_device_lost = [server = server.get()](const std::string& device,
                                                          const absl::Status& error,
                                                          int64_t devices_left) {
    server->DeviceLost(device, error, devices_left);
  };
  RIESZ_ASSIGN_OR_RETURN(server->engine_,
                         Engine::Create(std::move(engine_options), std::move(backends)));
  server->guard_ = std::make_unique<Guard>(*server->metrics_, clock, options.max_calls);
  server->requests_ = std::make_unique<RequestLog>();
  const ServiceContext context{*server->engine_, *server->guard_, *server->requests_};
  server->services_.push_back(std::make_unique<EnsembleServiceImpl>(context));
  server->services_.push_back(std::make_unique<DiscrepancyServiceImpl>(context));
  server->services_.push_back(std::make_unique<FlowServiceImpl>(context));
  server->services_.push_back(
      std::make_unique<ServerServiceImpl>(context, options.max_message_bytes, options.max_calls));
  RIESZ_RETURN_IF_ERROR(server->Listen(options));
  if (!options.metrics_listen.empty()) {
    RIESZ_ASSIGN_OR_RETURN(
        server->metrics_endpoint_,
        MetricsEndpoint::Start(options.metrics_listen, server->metrics_->registry()));
  }
  return server;
}

absl::Status Server::Listen(const ServerOptions& options) {
  EnablePlugins();
  grpc::ServerBuilder builder;
  SetLimits(options, builder);
  std::vector<int> ports(options.listen.size(), 0);
  for (size_t i = 0; i < options.listen.size(); ++i) {
    builder.AddListeningPort(options.listen[i], grpc::InsecureServerCredentials(), &ports[i]);
  }
  for (const auto& service : services_) builder.RegisterService(service.get());
  grpc_server_ = builder.BuildAndStart();
  for (size_t i = 0; i < options.listen.size(); ++i) {
    if (grpc_server_ == nullptr || ports[i] <= 0) {
      return absl::UnavailableError(absl::StrCat("gRPC cannot be served on ",
                                                 absl::StrJoin(options.listen, ", "),
                                                 "; is an address in use?"));
    }
    addresses_.push_back(WithPort(options.listen[i], ports[i]));
  }
  {
    const std::lock_guard lock(health_mutex_);
    health_ = grpc_server_->GetHealthCheckService();
  }
  SetHealth(true);
  return absl::OkStatus();
}

void Server::SetHealth(bool ready) {
  const std::lock_guard lock(health_mutex_);
  if (health_ == nullptr) return;
  ready = ready && device_left_;
  health_->SetServingStatus("liveness", true);
  health_->SetServingStatus("", ready);
  for (const char* name : kServiceNames) health_->SetServingStatus(name, ready);
}

void Server::DeviceLost(const std::string& device, const absl::Status& error,
                        int64_t devices_left) {
  Log(LogLevel::kError, "device lost",
      {{"device", device},
       {"error", std::string(error.message())},
       {"devices_left", absl::StrCat(devices_left)}});
  if (devices_left > 0) return;
  {
    const std::lock_guard lock(health_mutex_);
    device_left_ = false;
  }
  SetHealth(false);
}

std::string Server::metrics_address() const {
  return metrics_endpoint_ == nullptr ? "" : metrics_endpoint_->address();
}

void Server::Drain(std::chrono::milliseconds timeout) {
  Log(LogLevel::kInfo, "draining", {{"timeout_ms", absl::StrCat(timeout.count())}});
  // The steady clock, not the engine's: a test's clock may stand still while calls finish.
  const Clock::Time until = SteadyClock().Now() + timeout;
  SetHealth(false);
  guard_->StartDrain();
  engine_->Drain(guard_->clock().Now() + timeout);
  guard_->EndStreams();
  const bool idle = guard_->WaitUntilIdle(until);
  // What is left now are health watches and calls that outlived the timeout; both are cancelled.
  grpc_server_->Shutdown(std::chrono::system_clock::now());
  Log(LogLevel::kInfo, "drained", {{"all_calls_finished", idle ? "true" : "false"}});
}

Server::~Server() {
  {
    const std::lock_guard lock(health_mutex_);
    health_ = nullptr;
  }
  if (grpc_server_ == nullptr) return;
  guard_->StartDrain();
  guard_->EndStreams();
  grpc_server_->Shutdown(std::chrono::system_clock::now());
}

}  // namespace riesz
