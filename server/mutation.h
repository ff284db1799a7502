// Mutating unary calls: a retry with the same request_id gets the first answer.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/engine/request_log.h"
#include "server/unary.h"

namespace google::protobuf {
class MessageLite;
}

namespace riesz {

inline constexpr size_t kMaxRequestIdLength = 128;
absl::Status CheckRequestId(std::string_view id);

// The same bytes for equal messages (maps in key order).
std::string DeterministicBytes(const google::protobuf::MessageLite& message);

// True where a repeat that waited for a first try should make its own: that try's client went away,
// which says nothing about this one.
bool EndedWithItsClient(const absl::Status& status);

// Tells a mutation's end; exactly once, after the response is filled.
using MutationDone = std::function<void(const absl::Status&)>;

// Leads to exactly one pending.Done. `run(call, done)` does the work; it is copied and may run
// again when a first try it waited for was abandoned.
template <typename Request, typename Response, typename Run>
void RunOnce(RequestLog& log, const RpcMethod& method, PendingUnary& pending,
             const Request* request, Response* response, const Run& run) {
  const auto finish = [&pending](const absl::Status& status) { pending.Done(status); };
  if (request->request_id().empty()) {
    run(pending.call(), finish);
    return;
  }
  if (absl::Status valid = CheckRequestId(request->request_id()); !valid.ok()) {
    pending.Done(valid);
    return;
  }
  auto on_finished = [&log, &method, &pending, request, response,
                      run](const absl::StatusOr<std::string>& answer) {
    if (answer.ok()) {
      const bool parsed = response->ParseFromString(*answer);
      pending.Done(parsed ? absl::OkStatus() : absl::InternalError("a kept answer is unreadable"));
    } else if (EndedWithItsClient(answer.status()) && !pending.call().cancelled()) {
      RunOnce(log, method, pending, request, response, run);
    } else {
      pending.Done(answer.status());
    }
  };
  RequestLog::Begun begun =
      log.Begin(CallContext().tenant, request->request_id(),
                Fingerprint(method.name, DeterministicBytes(*request)), on_finished);
  switch (begun.kind) {
    case RequestLog::Kind::kNone:
      run(pending.call(), finish);
      return;
    case RequestLog::Kind::kNew: {
      auto first = std::make_shared<RequestLog::Call>(std::move(begun.call));
      run(pending.call(), [&pending, response, first](const absl::Status& status) {
        if (status.ok()) {
          first->Succeed(response->SerializeAsString());
        } else {
          first->Fail(status);
        }
        pending.Done(status);
      });
      return;
    }
    case RequestLog::Kind::kRunning:
      return;
    case RequestLog::Kind::kFinished:
      on_finished(std::move(begun.answer));
      return;
    case RequestLog::Kind::kReused:
      pending.Done(begun.status);
      return;
  }
}

template <typename Request, typename Response, typename Run>
grpc::ServerUnaryReactor* AnswerMutation(Guard& guard, RequestLog& log, const RpcMethod& method,
                                         grpc::CallbackServerContext* context,
                                         const Request* request, Response* response,
                                         const Run& run) {
  return AnswerLater(guard, method, context, [&](PendingUnary& pending) {
    RunOnce(log, method, pending, request, response, run);
  });
}

}  // namespace riesz
