// Unary handlers: one that answers before it returns, one that answers when the engine calls back.
//
// Both begin with the guard's Call and finish exactly once.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include "absl/status/status.h"
#include "server/guard.h"

namespace riesz {

// `answer(call)` fills the response and returns a status; it must not block or compute.
template <typename Answer>
grpc::ServerUnaryReactor* AnswerNow(Guard& guard, const RpcMethod& method,
                                    grpc::CallbackServerContext* context, Answer&& answer) {
  Call call(guard, method, context);
  call.CountReceived();
  absl::Status status = call.admission();
  if (status.ok()) status = answer(call);
  if (status.ok()) call.CountSent();
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(call.Finish(status));
  return reactor;
}

// A call that waits for the engine. Deletes itself when gRPC is done with it.
class PendingUnary final : public grpc::ServerUnaryReactor {
 public:
  PendingUnary(Guard& guard, const RpcMethod& method, grpc::CallbackServerContext* context)
      : call_(guard, method, context) {
    call_.CountReceived();
  }

  Call& call() { return call_; }

  // Exactly once, from any thread; the object may be gone when it returns. An engine thread may do
  // this although workers keep away from gRPC: Finish only puts the answer on gRPC's queue and
  // waits for nobody.
  void Done(const absl::Status& status) {
    if (status.ok()) call_.CountSent();
    Finish(call_.Finish(status));
  }

 private:
  void OnCancel() override { call_.Cancel(); }
  void OnDone() override { delete this; }

  Call call_;
};

// `start(pending)` leads to exactly one pending.Done, now or later. Request and response outlive
// that Done.
template <typename Start>
grpc::ServerUnaryReactor* AnswerLater(Guard& guard, const RpcMethod& method,
                                      grpc::CallbackServerContext* context, Start&& start) {
  auto* pending = new PendingUnary(guard, method, context);
  if (pending->call().admission().ok()) {
    start(*pending);
  } else {
    pending->Done(pending->call().admission());
  }
  // Still alive even after Done: gRPC cannot be done with a reactor before it was given it.
  return pending;
}

}  // namespace riesz
