// One streaming call with messages as raw bytes: what keeps tensors out of protobuf, whose
// parsing and serialising copies would halve the rate of a transfer.
//
// Thread safety: one thread at a time. Every method blocks until it is done, except those named
// Start..., of which at most one may be pending.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>

namespace riesz {

class ByteStream {
 public:
  // Starts the call; `context` must outlive the stream.
  ByteStream(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
             grpc::ClientContext* context);
  // Finish must have been called.
  ~ByteStream();

  void StartWrite(const grpc::ByteBuffer& message, bool last);
  void StartRead(grpc::ByteBuffer* message);
  // Waits for what was started; false when the stream is broken, or at its end.
  bool Wait();
  // Says that no more messages follow.
  void WritesDone();
  bool pending() const { return pending_; }
  // The call's end. Requires that every message was read, or the call was cancelled, or a write or
  // read has failed: gRPC holds the status back behind unread messages.
  grpc::Status Finish();

 private:
  bool Next();

  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  bool pending_ = false;
};

// Lends the caller's memory to gRPC without a copy and waits until it is no longer read.
// Sent bytes may sit in the transport after their write has returned, even when the call fails.
class LentMemory {
 public:
  LentMemory() = default;
  LentMemory(const LentMemory&) = delete;
  LentMemory& operator=(const LentMemory&) = delete;
  // Waits for every slice.
  ~LentMemory();

  grpc::Slice Lend(std::span<const std::byte> bytes);

 private:
  static void Return(void* self);

  std::mutex mutex_;
  std::condition_variable returned_;
  int lent_ = 0;
};

}  // namespace riesz
