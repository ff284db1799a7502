#include "client/byte_stream.h"

#include <utility>

#include "core/check.h"

namespace riesz {

ByteStream::ByteStream(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                       grpc::ClientContext* context)
    : call_(grpc::GenericStub(channel).PrepareCall(context, method, &queue_)) {
  call_->StartCall(this);
  // A call that cannot start fails its first read or write; Finish then says why.
  Next();
}

ByteStream::~ByteStream() {
  RIESZ_CHECK(!pending_, "a pending operation would write to freed memory");
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
}

bool ByteStream::Next() {
  void* tag = nullptr;
  bool ok = false;
  return queue_.Next(&tag, &ok) && ok;
}

void ByteStream::StartWrite(const grpc::ByteBuffer& message, bool last) {
  RIESZ_CHECK(!std::exchange(pending_, true), "one operation at a time");
  if (last) {
    call_->WriteLast(message, grpc::WriteOptions(), this);
  } else {
    call_->Write(message, this);
  }
}

void ByteStream::StartRead(grpc::ByteBuffer* message) {
  RIESZ_CHECK(!std::exchange(pending_, true), "one operation at a time");
  call_->Read(message, this);
}

bool ByteStream::Wait() {
  RIESZ_CHECK(std::exchange(pending_, false), "nothing was started");
  return Next();
}

void ByteStream::WritesDone() {
  call_->WritesDone(this);
  Next();
}

grpc::Status ByteStream::Finish() {
  grpc::Status status;
  call_->Finish(&status, this);
  Next();
  return status;
}

LentMemory::~LentMemory() {
  std::unique_lock lock(mutex_);
  returned_.wait(lock, [this] { return lent_ == 0; });
}

grpc::Slice LentMemory::Lend(std::span<const std::byte> bytes) {
  {
    const std::lock_guard lock(mutex_);
    ++lent_;
  }
  // gRPC only reads what it sends; its interface has no const.
  return grpc::Slice(const_cast<std::byte*>(bytes.data()), bytes.size(), &Return, this);
}

void LentMemory::Return(void* self) {
  auto* const memory = static_cast<LentMemory*>(self);
  const std::lock_guard lock(memory->mutex_);
  --memory->lent_;
  // Under the lock: the waiter may destroy the condition as soon as it can take it.
  memory->returned_.notify_all();
}

}  // namespace riesz
