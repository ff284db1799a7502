// The guard at the head of every handler: admission, request id, metrics, log.
//
// A handler begins with a Call and ends with Call::Finish; tests/server/lifecycle_test.cc calls
// every method of every service descriptor to prove that none goes without.
//
// Thread safety: Guard is thread-safe. A Call belongs to its reactor; Cancel may run beside
// anything.
//
// Ownership: Guard owns the Methods and outlives every Call.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>

#include "core/clock.h"
#include "core/engine/requests.h"
#include "server/metrics.h"

namespace riesz {

// One rpc of one service.
struct RpcMethod {
  std::string service;  // "riesz.v1.FlowService"
  std::string name;     // "CreateFlow"
  MethodMetrics metrics;
};

// The services that the server offers, by full name.
extern const char* const kServiceNames[4];

class Guard {
 public:
  // Knows every method of kServiceNames. `metrics` and `clock` are borrowed.
  Guard(Metrics& metrics, const Clock& clock, int64_t max_calls);

  // The method's handle; resolve it once, not per call. `service` and `name` must exist.
  const RpcMethod& method(std::string_view service, std::string_view name) const;
  const Clock& clock() const { return clock_; }

  // From now on every new call is refused with UNAVAILABLE.
  void StartDrain() { draining_.store(true, std::memory_order_relaxed); }
  bool draining() const { return draining_.load(std::memory_order_relaxed); }
  int64_t calls_in_flight() const { return in_flight_.load(std::memory_order_relaxed); }
  // Waits until no call is in flight; false at the deadline.
  bool WaitUntilIdle(Clock::Time deadline);

  // Fires when streams without an end of their own should end: a watch would hold a drain up.
  std::stop_token streams_should_end() const { return end_streams_.get_token(); }
  void EndStreams() { end_streams_.request_stop(); }

 private:
  friend class Call;
  absl::Status Admit();
  void Leave();
  uint64_t NextRequestNumber() { return request_number_.fetch_add(1, std::memory_order_relaxed); }

  const Clock& clock_;
  const int64_t max_calls_;
  std::map<std::string, RpcMethod, std::less<>> methods_;  // key "service/name"
  std::atomic<bool> draining_{false};
  std::atomic<int64_t> in_flight_{0};
  std::atomic<uint64_t> request_number_;
  std::stop_source end_streams_;
  std::mutex idle_mutex_;
  std::condition_variable idle_;
};

// One call from its arrival to its status.
class Call {
 public:
  Call(Guard& guard, const RpcMethod& method, grpc::CallbackServerContext* context);
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // OK, or why the call is refused; a handler does nothing but finish then.
  const absl::Status& admission() const { return admission_; }
  // Tenant, stop token and deadline for the engine. Not after Finish.
  CallContext MakeContext();
  // From OnCancel: fires the stop token, nothing more.
  void Cancel() { stop_.request_stop(); }
  bool cancelled() const { return stop_.stop_requested(); }

  void CountReceived() { method_.metrics.received->Increment(); }
  void CountSent() { method_.metrics.sent->Increment(); }

  // Ends the call, exactly once: counts, logs and converts. The reactor hands the result to its own
  // Finish. The call stays in flight until it is destroyed.
  grpc::Status Finish(const absl::Status& status);

  Guard& guard() { return guard_; }
  // The client's x-request-id where it is printable and at most 128 characters, else our own.
  std::string request_id() const;

 private:
  absl::Status NameDeadline(const absl::Status& status) const;

  Guard& guard_;
  const RpcMethod& method_;
  grpc::CallbackServerContext* context_;
  std::chrono::steady_clock::time_point start_;
  uint64_t request_number_;
  absl::Status admission_;
  std::stop_source stop_;
};

}  // namespace riesz
