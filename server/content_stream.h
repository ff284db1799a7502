// A server stream that sends one message and then content in chunks of kMaxChunkBytes.
//
// Thread safety: gRPC runs one reaction at a time, beside OnCancel, which only sets a flag.
// Ownership: deletes itself when gRPC is done with it; keeps the content alive until then.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <memory>

#include "core/engine/engine.h"
#include "server/chunk_frame.h"
#include "server/guard.h"

namespace riesz {

// Bytes to send: host memory that `owner` keeps alive or, where `device` is set, a range of an
// ensemble that must be read through the engine.
struct StreamContent {
  SharedBytes host;
  std::shared_ptr<const DeviceEnsemble> device;
  int64_t begin = 0;  // in `device`, bytes
  int64_t size = 0;
};

// The particles' bytes [begin, begin + size): in place where they lie in host memory.
StreamContent ContentOf(std::shared_ptr<const DeviceEnsemble> particles, int64_t begin,
                        int64_t size);

class ContentStream final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  ContentStream(Engine& engine, Guard& guard, const RpcMethod& method,
                grpc::CallbackServerContext* context);

  Call& call() { return call_; }

  // Exactly one of the two, once, from any thread: an engine thread may, as StartWrite and Finish
  // only hand work to gRPC's queue and wait for nobody.
  void Send(grpc::ByteBuffer first, StreamContent content);
  void End(const absl::Status& status);

 private:
  void OnWriteDone(bool ok) override;
  void OnCancel() override { call_.Cancel(); }
  void OnDone() override { delete this; }

  absl::StatusOr<SharedBytes> NextChunk(int64_t size);

  Engine& engine_;
  Call call_;
  StreamContent content_;
  int64_t sent_ = 0;          // bytes
  grpc::ByteBuffer message_;  // must live until OnWriteDone
};

}  // namespace riesz
