#include "server/guard.h"

#include <google/protobuf/descriptor.h>
#include <grpcpp/server_context.h>

#include <chrono>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/check.h"
#include "core/error.h"
#include "server/grpc_status.h"
#include "server/log.h"

namespace riesz {
namespace {

constexpr size_t kMaxRequestIdBytes = 128;

// A random start, so that ids of two runs of a server do not meet in one log.
uint64_t FirstRequestNumber() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32) | device();
}

std::string_view TypeOf(const google::protobuf::MethodDescriptor& method) {
  if (method.client_streaming()) return "client_stream";
  return method.server_streaming() ? "server_stream" : "unary";
}

bool Printable(std::string_view text) {
  for (unsigned char c : text) {
    if (c <= ' ' || c >= 0x7f) return false;
  }
  return true;
}

// Errors of ours, as against those of a caller.
bool IsOurFault(absl::StatusCode code) {
  return code == absl::StatusCode::kInternal || code == absl::StatusCode::kUnknown ||
         code == absl::StatusCode::kUnavailable || code == absl::StatusCode::kDataLoss;
}

}  // namespace

const char* const kServiceNames[4] = {
    "riesz.v1.DiscrepancyService",
    "riesz.v1.EnsembleService",
    "riesz.v1.FlowService",
    "riesz.v1.ServerService",
};

Guard::Guard(Metrics& metrics, const Clock& clock, int64_t max_calls)
    : clock_(clock), max_calls_(max_calls), request_number_(FirstRequestNumber()) {
  for (const char* name : kServiceNames) {
    const auto* service =
        google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(name);
    RIESZ_CHECK(service != nullptr, "a service's descriptor must be linked in");
    for (int i = 0; i < service->method_count(); ++i) {
      const auto& method = *service->method(i);
      methods_[absl::StrCat(name, "/", method.name())] =
          RpcMethod{name, method.name(), metrics.AddMethod(TypeOf(method), name, method.name())};
    }
  }
}

const RpcMethod& Guard::method(std::string_view service, std::string_view name) const {
  const auto found = methods_.find(std::string(service) + "/" + std::string(name));
  RIESZ_CHECK(found != methods_.end(), "a handler names a method that the proto does not have");
  return found->second;
}

absl::Status Guard::Admit() {
  const int64_t in_flight = in_flight_.fetch_add(1, std::memory_order_acq_rel) + 1;
  if (draining()) {
    return WithDetail(absl::UnavailableError("the server is draining; retry elsewhere"),
                      {ErrorReason::kDraining, {{"retry_after_ms", "1000"}}});
  }
  if (in_flight > max_calls_) {
    return WithDetail(
        absl::ResourceExhaustedError(
            absl::StrCat("the server answers ", max_calls_, " calls at a time; retry later")),
        {ErrorReason::kLimit,
         {{"what", "max_calls"}, {"limit", absl::StrCat(max_calls_)}, {"retry_after_ms", "100"}}});
  }
  return absl::OkStatus();
}

void Guard::Leave() {
  if (in_flight_.fetch_sub(1, std::memory_order_acq_rel) == 1 && draining()) {
    const std::lock_guard lock(idle_mutex_);
    idle_.notify_all();
  }
}

bool Guard::WaitUntilIdle(Clock::Time deadline) {
  std::unique_lock lock(idle_mutex_);
  return idle_.wait_until(lock, deadline, [this] { return calls_in_flight() == 0; });
}

Call::Call(Guard& guard, const RpcMethod& method, grpc::CallbackServerContext* context)
    : guard_(guard),
      method_(method),
      context_(context),
      start_(std::chrono::steady_clock::now()),
      request_number_(guard.NextRequestNumber()),
      admission_(guard.Admit()) {
  method_.metrics.started->Increment();
}

Call::~Call() { guard_.Leave(); }

CallContext Call::MakeContext() {
  CallContext context;
  context.stop = stop_.get_token();
  const auto deadline = context_->deadline();
  if (deadline != std::chrono::system_clock::time_point::max()) {
    const auto left = deadline - std::chrono::system_clock::now();
    // A client without a deadline may still send one centuries away; adding that would overflow.
    if (left < std::chrono::hours(24 * 365)) {
      context.deadline = guard_.clock().Now() + left;
    }
  }
  return context;
}

std::string Call::request_id() const {
  const auto& metadata = context_->client_metadata();
  const auto sent = metadata.find("x-request-id");
  if (sent != metadata.end()) {
    const std::string_view id(sent->second.data(), sent->second.size());
    if (!id.empty() && id.size() <= kMaxRequestIdBytes && Printable(id)) return std::string(id);
  }
  return absl::StrFormat("%016x", request_number_);
}

// gRPC cancels a call at its deadline, so the engine may hear of the one or the other first.
absl::Status Call::NameDeadline(const absl::Status& status) const {
  if (!absl::IsCancelled(status) || context_->deadline() > std::chrono::system_clock::now()) {
    return status;
  }
  return WithDetail(absl::DeadlineExceededError(status.message()), {ErrorReason::kDeadline, {}});
}

grpc::Status Call::Finish(const absl::Status& unnamed) {
  const absl::Status status = unnamed.ok() ? unnamed : NameDeadline(unnamed);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  const auto code = static_cast<size_t>(status.code());
  method_.metrics.handled[code < 17 ? code : 2]->Increment();
  method_.metrics.handling_seconds->Observe(seconds);

  const bool ours = admission_.ok() && IsOurFault(status.code());
  const LogLevel level = ours ? LogLevel::kInfo : LogLevel::kDebug;
  if (status.ok() && !LogEnabled(level)) return grpc::Status::OK;
  const std::string id = request_id();
  if (LogEnabled(level)) {
    const absl::string_view text = status.ok() ? "answered" : status.message();
    Log(level, {text.data(), text.size()},
        {{"request_id", id},
         {"tenant", "default"},
         {"method", absl::StrCat(method_.service, "/", method_.name)},
         {"code", std::string(GrpcCodeName(status.code()))},
         {"duration_ms", absl::StrFormat("%.3f", seconds * 1e3)}});
  }
  if (!status.ok()) context_->AddTrailingMetadata("x-request-id", id);
  return ToGrpcStatus(status, id);
}

}  // namespace riesz
