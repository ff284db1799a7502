// rieszd without its process: an engine behind gRPC, with health, reflection and metrics.
//
// Thread safety: the accessors are thread-safe; Drain may be called once, from any thread.
//
// Ownership: Server owns everything; destroying it stops at once what Drain has not.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/engine/engine.h"
#include "server/guard.h"
#include "server/metrics.h"
#include "server/options.h"

namespace grpc {
class HealthCheckServiceInterface;
class Server;
class Service;
}  // namespace grpc

namespace riesz {

class RequestLog;

class Server {
 public:
  // Listens, healthy, when it returns. At least one backend, the default first. `clock` is the
  // engine's. UNAVAILABLE when an address cannot be bound.
  static absl::StatusOr<std::unique_ptr<Server>> Start(
      const ServerOptions& options, std::vector<std::unique_ptr<Backend>> backends,
      const Clock& clock = SteadyClock());
  ~Server();

  // As asked for, with the ports that were chosen.
  const std::vector<std::string>& addresses() const { return addresses_; }
  std::string metrics_address() const;  // empty: off

  // Answers NOT_SERVING and refuses new calls, lets work finish until `timeout` has passed, ends
  // watches, stops. The health name "liveness" stays SERVING to the end. Health turns NOT_SERVING
  // also when the last device is lost.
  void Drain(std::chrono::milliseconds timeout);

  Guard& guard() { return *guard_; }
  Engine& engine() { return *engine_; }

 private:
  Server();
  absl::Status Listen(const ServerOptions& options);
  // Ready only once it listens and while a device is left. Thread-safe.
  void SetHealth(bool ready);
  void DeviceLost(const std::string& device, const absl::Status& error, int64_t devices_left);

  // In order of dependence: destruction goes from the last to the first.
  std::mutex health_mutex_;  // the engine's threads may still tell of a loss at its end
  grpc::HealthCheckServiceInterface* health_ = nullptr;  // null while there is none to be told
  bool device_left_ = true;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Guard> guard_;
  std::unique_ptr<RequestLog> requests_;
  std::vector<std::unique_ptr<grpc::Service>> services_;
  std::unique_ptr<grpc::Server> grpc_server_;
  std::unique_ptr<MetricsEndpoint> metrics_endpoint_;
  std::vector<std::string> addresses_;
};

}  // namespace riesz
