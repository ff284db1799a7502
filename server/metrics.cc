#include "server/metrics.h"

#include <netdb.h>
#include <prometheus/exposer.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <exception>
#include <stop_token>
#include <thread>

#include "absl/strings/str_cat.h"
#include "server/build_info.h"

namespace riesz {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using prometheus::Histogram;
using prometheus::Labels;

constexpr std::string_view kCodeNames[17] = {
    "OK",       "Canceled",        "Unknown",          "InvalidArgument",   "DeadlineExceeded",
    "NotFound", "AlreadyExists",   "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
    "Aborted",  "OutOfRange",      "Unimplemented",    "Internal",          "Unavailable",
    "DataLoss", "Unauthenticated",
};

constexpr std::string_view kOperations[] = {"energy_distance", "gradient", "flow_step", "snapshot"};

// From an empty call (tens of microseconds) to a computation of minutes.
const Histogram::BucketBoundaries& CallBuckets() {
  static const Histogram::BucketBoundaries buckets{1e-4, 1e-3, 5e-3, 0.025, 0.1,
                                                   0.5,  2.5,  10,   60,    600};
  return buckets;
}

const Histogram::BucketBoundaries& ComputeBuckets() {
  static const Histogram::BucketBoundaries buckets{1e-3, 5e-3, 0.02, 0.1, 0.5, 2, 10, 60, 600};
  return buckets;
}

Labels DeviceLabel(std::string_view device) { return {{"device", std::string(device)}}; }

Labels OperationLabels(std::string_view operation, std::string_view device) {
  return {{"operation", std::string(operation)}, {"device", std::string(device)}};
}

// Connects to HOST:PORT and leaves. Whether anybody answers does not matter.
void Knock(const std::string& address) {
  std::string host = address.substr(0, address.rfind(':'));
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  const std::string port = address.substr(address.rfind(':') + 1);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) return;
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd >= 0) {
    (void)connect(fd, found->ai_addr, found->ai_addrlen);
    close(fd);
  }
  freeaddrinfo(found);
}

}  // namespace

std::string_view GrpcCodeName(absl::StatusCode code) {
  const auto index = static_cast<size_t>(code);
  return kCodeNames[index < std::size(kCodeNames) ? index : 2];
}

Metrics::Metrics(const std::vector<std::string>& devices)
    : registry_(std::make_shared<prometheus::Registry>()),
      started_(BuildCounter()
                   .Name("grpc_server_started_total")
                   .Help("Calls that reached a handler.")
                   .Register(*registry_)),
      handled_(BuildCounter()
                   .Name("grpc_server_handled_total")
                   .Help("Calls answered, by status code.")
                   .Register(*registry_)),
      handling_seconds_(BuildHistogram()
                            .Name("grpc_server_handling_seconds")
                            .Help("Time from a call's arrival to its status.")
                            .Register(*registry_)),
      received_(BuildCounter()
                    .Name("grpc_server_msg_received_total")
                    .Help("Messages received.")
                    .Register(*registry_)),
      sent_(BuildCounter()
                .Name("grpc_server_msg_sent_total")
                .Help("Messages sent.")
                .Register(*registry_)),
      computations_(BuildCounter()
                        .Name("riesz_computations_total")
                        .Help("Computations that left a device, by outcome.")
                        .Register(*registry_)),
      compute_seconds_(BuildHistogram()
                           .Name("riesz_compute_seconds")
                           .Help("Time on the device, without waiting.")
                           .Register(*registry_)),
      queue_seconds_(BuildHistogram()
                         .Name("riesz_queue_seconds")
                         .Help("Time between a computation's arrival and its first quantum.")
                         .Register(*registry_)),
      device_up_(BuildGauge()
                     .Name("riesz_device_up")
                     .Help("1, or 0 once the device is lost.")
                     .Register(*registry_)),
      queue_depth_(BuildGauge()
                       .Name("riesz_queue_depth")
                       .Help("Jobs that wait for a device.")
                       .Register(*registry_)),
      memory_used_(BuildGauge()
                       .Name("riesz_memory_used_bytes")
                       .Help("Bytes that the ledger has handed out.")
                       .Register(*registry_)),
      memory_limit_(BuildGauge()
                        .Name("riesz_memory_limit_bytes")
                        .Help("Bytes that the ledger may hand out.")
                        .Register(*registry_)),
      flow_steps_(BuildCounter()
                      .Name("riesz_flow_steps_total")
                      .Help("Flow steps completed.")
                      .Register(*registry_)) {
  auto& transfer = BuildCounter()
                       .Name("riesz_transfer_bytes_total")
                       .Help("Content received and sent.")
                       .Register(*registry_);
  upload_bytes_ = &transfer.Add({{"direction", "upload"}});
  download_bytes_ = &transfer.Add({{"direction", "download"}});
  const auto resource_gauge = [this](const char* name, const char* help) {
    return &BuildGauge().Name(name).Help(help).Register(*registry_).Add({});
  };
  ensembles_ = resource_gauge("riesz_ensembles", "Ensembles held.");
  flows_ = resource_gauge("riesz_flows", "Flows held.");
  uploads_ = resource_gauge("riesz_uploads", "Uploads under way.");
  BuildGauge()
      .Name("riesz_build_info")
      .Help("Always 1; the labels say what runs.")
      .Register(*registry_)
      .Add({{"version", kVersion}, {"commit", kCommit}})
      .Set(1);

  for (const std::string& device : devices) {
    device_up_.Add(DeviceLabel(device));
    queue_depth_.Add(DeviceLabel(device));
    memory_used_.Add(DeviceLabel(device));
    memory_limit_.Add(DeviceLabel(device));
    flow_steps_.Add(DeviceLabel(device));
    queue_seconds_.Add(DeviceLabel(device), ComputeBuckets());
    for (const std::string_view operation : kOperations) {
      const Labels labels = OperationLabels(operation, device);
      compute_seconds_.Add(labels, ComputeBuckets());
      // Those that occur: a rate over a series that begins at 1 would miss its first failure.
      for (const char* outcome :
           {"ok", "cancelled", "deadline_exceeded", "invalid_argument", "resource_exhausted",
            "out_of_range", "data_loss", "unavailable", "internal"}) {
        Labels with_outcome = labels;
        with_outcome["outcome"] = outcome;
        computations_.Add(with_outcome);
      }
    }
  }
}

Metrics::~Metrics() = default;

MethodMetrics Metrics::AddMethod(std::string_view type, const std::string& service,
                                 const std::string& method) {
  Labels labels{
      {"grpc_type", std::string(type)}, {"grpc_service", service}, {"grpc_method", method}};
  MethodMetrics metrics;
  metrics.started = &started_.Add(labels);
  metrics.handling_seconds = &handling_seconds_.Add(labels, CallBuckets());
  metrics.received = &received_.Add(labels);
  metrics.sent = &sent_.Add(labels);
  for (size_t code = 0; code < metrics.handled.size(); ++code) {
    labels["grpc_code"] = std::string(kCodeNames[code]);
    metrics.handled[code] = &handled_.Add(labels);
  }
  return metrics;
}

void Metrics::Computed(std::string_view operation, std::string_view device,
                       std::string_view outcome, double queue_seconds, double compute_seconds) {
  Labels labels = OperationLabels(operation, device);
  compute_seconds_.Add(labels, ComputeBuckets()).Observe(compute_seconds);
  queue_seconds_.Add(DeviceLabel(device), ComputeBuckets()).Observe(queue_seconds);
  labels["outcome"] = std::string(outcome);
  computations_.Add(labels).Increment();
}

void Metrics::FlowSteps(std::string_view device, int64_t steps) {
  flow_steps_.Add(DeviceLabel(device)).Increment(static_cast<double>(steps));
}

void Metrics::Transferred(std::string_view direction, int64_t bytes) {
  (direction == "upload" ? upload_bytes_ : download_bytes_)->Increment(static_cast<double>(bytes));
}

void Metrics::LedgerChanged(std::string_view device, int64_t used_bytes, int64_t limit_bytes) {
  memory_used_.Add(DeviceLabel(device)).Set(static_cast<double>(used_bytes));
  memory_limit_.Add(DeviceLabel(device)).Set(static_cast<double>(limit_bytes));
}

void Metrics::DeviceUp(std::string_view device, bool up) {
  device_up_.Add(DeviceLabel(device)).Set(up ? 1 : 0);
}

void Metrics::QueueChanged(std::string_view device, int64_t jobs) {
  queue_depth_.Add(DeviceLabel(device)).Set(static_cast<double>(jobs));
}

void Metrics::Resources(std::string_view kind, int64_t count) {
  prometheus::Gauge* gauge = kind == "ensembles" ? ensembles_
                             : kind == "flows"   ? flows_
                             : kind == "uploads" ? uploads_
                                                 : nullptr;
  if (gauge != nullptr) gauge->Set(static_cast<double>(count));
}

absl::StatusOr<std::unique_ptr<MetricsEndpoint>> MetricsEndpoint::Start(
    const std::string& address, std::shared_ptr<prometheus::Registry> registry) {
  try {
    auto exposer = std::make_unique<prometheus::Exposer>(address, /*num_threads=*/1);
    exposer->RegisterCollectable(registry);
    return std::unique_ptr<MetricsEndpoint>(new MetricsEndpoint(
        address.substr(0, address.rfind(':')), std::move(exposer), std::move(registry)));
  } catch (const std::exception& error) {
    return absl::UnavailableError(
        absl::StrCat("metrics cannot be served on ", address, ": ", error.what()));
  }
}

MetricsEndpoint::MetricsEndpoint(std::string host, std::unique_ptr<prometheus::Exposer> exposer,
                                 std::shared_ptr<prometheus::Registry> registry)
    : host_(std::move(host)), registry_(std::move(registry)), exposer_(std::move(exposer)) {}

// civetweb's listening thread looks whether it should stop every two seconds
// (SOCKET_TIMEOUT_QUANTUM, fixed when the library is built) or when somebody connects. So somebody
// does, until it has seen it.
MetricsEndpoint::~MetricsEndpoint() {
  const std::string own = address();
  std::jthread knocking([&own](const std::stop_token& stopped) {
    while (!stopped.stop_requested()) {
      Knock(own);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  });
  exposer_ = nullptr;
}

std::string MetricsEndpoint::address() const {
  return absl::StrCat(host_, ":", exposer_->GetListeningPorts().front());
}

}  // namespace riesz
