// UploadChunks: takes chunks of one upload and hands gRPC's own slices to the engine.
//
// Backpressure: the next message is read only after the last one was copied, so a client that sends
// faster waits for HTTP/2's window.
//
// Thread safety: gRPC runs one reaction at a time, beside OnCancel, which only sets a flag.
// Ownership: deletes itself when gRPC is done with it.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <memory>

#include "core/engine/engine.h"
#include "server/guard.h"

namespace riesz {

class UploadStream final : public grpc::ServerReadReactor<grpc::ByteBuffer> {
 public:
  // `response` is gRPC's and filled at the end.
  UploadStream(Engine& engine, Guard& guard, const RpcMethod& method,
               grpc::CallbackServerContext* context, grpc::ByteBuffer* response);

 private:
  void OnReadDone(bool ok) override;
  void OnCancel() override { call_.Cancel(); }
  void OnDone() override { delete this; }

  absl::Status TakeMessage();
  absl::Status FillResponse();
  void End(const absl::Status& status);

  Engine& engine_;
  Call call_;
  grpc::ByteBuffer* const response_;
  grpc::ByteBuffer message_;
  std::string upload_id_;
  std::unique_ptr<UploadWriter> writer_;  // from the first message on
};

}  // namespace riesz
