// One call of a Client: its context, with the client's deadline, known to the client while it lives
// so that Client::Cancel reaches it. Internal to client/.
#pragma once

#include "client/client.h"

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

}  // namespace riesz
