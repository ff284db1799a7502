// One call of a Client: its context, with the client's deadline, known to the client while it lives
// so that Client::Cancel reaches it. Internal to client/.
#pragma once

#include "client/client.h"
#include "client/grpc_error.h"
#include "core/status_macros.h"

namespace riesz {

class Client::Call {
 public:
  explicit Call(Client& client, bool bounded = true);
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  grpc::ClientContext* context() { return &context_; }

 private:
  Client& client_;
  grpc::ClientContext context_;
};

template <typename Stub, typename Request, typename Response>
absl::StatusOr<Response> Client::Unary(const std::unique_ptr<Stub>& stub,
                                       grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                                    const Request&, Response*),
                                       Request& request) {
  if constexpr (requires { request.set_request_id(""); }) {
    if (request.request_id().empty()) request.set_request_id(RandomId());
  }
  Call call(*this);
  Response response;
  RIESZ_RETURN_IF_ERROR(FromGrpcStatus((stub.get()->*method)(call.context(), request, &response)));
  return response;
}

}  // namespace riesz
