// Deduplication of mutating calls: a retry with the same request id gets the first answer.
//
// The server asks Begin() before a mutating call and tells the outcome through the Call that it
// got. A call that fails is forgotten, so that its retry is a new try; repeats that waited for it
// get the same error. Answers are opaque bytes (a serialized response).
//
//   RequestLog::Begun begun = log.Begin(tenant, id, Fingerprint(method, bytes), on_finished);
//   switch (begun.kind) {
//     case kNew:      run it, then begun.call.Succeed(answer) or begun.call.Fail(status)
//     case kRunning:  on_finished will be called with the first call's outcome
//     case kFinished: reply begun.answer
//     case kReused:   reply begun.status (INVALID_ARGUMENT, REQUEST_ID_REUSED)
//     case kNone:     the id is empty: run it without deduplication; `call` does nothing
//   }
//
// Thread safety: thread-safe. Callbacks run on the thread that ends the first call, without locks.
// Ownership: a Call keeps the log's state alive; it may outlive the RequestLog.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace riesz {

// What tells one request from another: the method and its serialized request, hashed (a request may
// hold a megabyte; remembering ten thousand of them may not).
struct RequestFingerprint {
  uint64_t hash = 0;
  uint64_t size = 0;
  bool operator==(const RequestFingerprint&) const = default;
};
RequestFingerprint Fingerprint(std::string_view method, std::string_view request);

class RequestLog {
 private:
  struct State;
  struct Entry;

 public:
  using OnFinished = std::function<void(const absl::StatusOr<std::string>& answer)>;

  // Finished calls remembered per tenant: the least recently used go first, by number or by the
  // bytes of their answers. Calls under way are never dropped; the caller's own limits bound them.
  struct Limits {
    int64_t calls_per_tenant = 10'000;
    int64_t answer_bytes_per_tenant = int64_t{64} << 20;
  };

  // The first call with its id. Exactly one outcome is told; dropping it without one is
  // Fail(ABORTED).
  class Call {
   public:
    Call() = default;
    Call(Call&&) noexcept = default;
    Call& operator=(Call&& other) noexcept;
    ~Call();
    void Succeed(std::string answer);
    void Fail(absl::Status status);

   private:
    friend class RequestLog;
    void End(absl::StatusOr<std::string> outcome);
    std::shared_ptr<State> state_;
    std::shared_ptr<Entry> entry_;
  };

  enum class Kind { kNone, kNew, kRunning, kFinished, kReused };
  struct Begun {
    Kind kind = Kind::kNone;
    Call call;            // kNew
    std::string answer;   // kFinished
    absl::Status status;  // kReused
  };

  RequestLog() : RequestLog(Limits()) {}
  explicit RequestLog(Limits limits);
  ~RequestLog();

  // `on_finished` is kept only for kRunning.
  Begun Begin(const std::string& tenant, const std::string& request_id,
              const RequestFingerprint& fingerprint, OnFinished on_finished);

 private:
  std::shared_ptr<State> state_;
};

}  // namespace riesz
