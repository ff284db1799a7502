// The server's Prometheus metrics: grpc_server_* for calls, riesz_* for what the engine did.
//
// Every known series exists from the start with value 0, so that a rate over the first minutes is
// right. server/README.md lists the names.
//
// Thread safety: every method is thread-safe. A call's path touches handles that were resolved
// once; only new label sets take the library's lock.
//
// Ownership: Metrics owns every series; the handles it gives out live as long as it does.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/engine/metrics_sink.h"

namespace prometheus {
class Exposer;
}

namespace riesz {

// The handles of one gRPC method.
struct MethodMetrics {
  prometheus::Counter* started = nullptr;
  std::array<prometheus::Counter*, 17> handled{};  // by status code
  prometheus::Histogram* handling_seconds = nullptr;
  prometheus::Counter* received = nullptr;  // messages
  prometheus::Counter* sent = nullptr;      // messages
};

// "OK", "InvalidArgument", ...: the values of the label grpc_code.
std::string_view GrpcCodeName(absl::StatusCode code);

class Metrics : public MetricsSink {
 public:
  explicit Metrics(const std::vector<std::string>& devices);
  ~Metrics() override;

  // `type` is "unary", "server_stream" or "client_stream".
  MethodMetrics AddMethod(std::string_view type, const std::string& service,
                          const std::string& method);

  void Computed(std::string_view operation, std::string_view device, std::string_view outcome,
                double queue_seconds, double compute_seconds) override;
  void FlowSteps(std::string_view device, int64_t steps) override;
  void Transferred(std::string_view direction, int64_t bytes) override;
  void LedgerChanged(std::string_view device, int64_t used_bytes, int64_t limit_bytes) override;
  void DeviceUp(std::string_view device, bool up) override;
  void QueueChanged(std::string_view device, int64_t jobs) override;
  void Resources(std::string_view kind, int64_t count) override;

  const std::shared_ptr<prometheus::Registry>& registry() const { return registry_; }

 private:
  std::shared_ptr<prometheus::Registry> registry_;
  prometheus::Family<prometheus::Counter>& started_;
  prometheus::Family<prometheus::Counter>& handled_;
  prometheus::Family<prometheus::Histogram>& handling_seconds_;
  prometheus::Family<prometheus::Counter>& received_;
  prometheus::Family<prometheus::Counter>& sent_;
  prometheus::Family<prometheus::Counter>& computations_;
  prometheus::Family<prometheus::Histogram>& compute_seconds_;
  prometheus::Family<prometheus::Histogram>& queue_seconds_;
  prometheus::Family<prometheus::Gauge>& device_up_;
  prometheus::Family<prometheus::Gauge>& queue_depth_;
  prometheus::Family<prometheus::Gauge>& memory_used_;
  prometheus::Family<prometheus::Gauge>& memory_limit_;
  prometheus::Family<prometheus::Counter>& flow_steps_;
  prometheus::Counter* upload_bytes_;
  prometheus::Counter* download_bytes_;
  prometheus::Gauge* ensembles_;
  prometheus::Gauge* flows_;
  prometheus::Gauge* uploads_;
};

// Serves a registry over HTTP at /metrics until it is destroyed.
class MetricsEndpoint {
 public:
  // `address` is HOST:PORT, port 0 for any. UNAVAILABLE when it cannot be bound.
  static absl::StatusOr<std::unique_ptr<MetricsEndpoint>> Start(
      const std::string& address, std::shared_ptr<prometheus::Registry> registry);
  ~MetricsEndpoint();
  std::string address() const;  // as asked for, with the port that was chosen

 private:
  MetricsEndpoint(std::string host, std::unique_ptr<prometheus::Exposer> exposer,
                  std::shared_ptr<prometheus::Registry> registry);

  const std::string host_;
  std::shared_ptr<prometheus::Registry> registry_;  // the exposer holds it weakly
  std::unique_ptr<prometheus::Exposer> exposer_;
};

}  // namespace riesz
