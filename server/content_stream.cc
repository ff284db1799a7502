#include "server/content_stream.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/crc32c.h"
#include "server/convert.h"

namespace riesz {

StreamContent ContentOf(std::shared_ptr<const DeviceEnsemble> particles, int64_t begin,
                        int64_t size) {
  StreamContent content;
  content.size = size;
  const std::span<const std::byte> host = particles->host_bytes();
  if (host.empty()) {
    content.device = std::move(particles);
    content.begin = begin;
  } else {
    content.host = {std::move(particles),
                    host.subspan(static_cast<size_t>(begin), static_cast<size_t>(size))};
  }
  return content;
}

ContentStream::ContentStream(Engine& engine, Guard& guard, const RpcMethod& method,
                             grpc::CallbackServerContext* context)
    : engine_(engine), call_(guard, method, context) {
  call_.CountReceived();
}

void ContentStream::Send(grpc::ByteBuffer first, StreamContent content) {
  content_ = std::move(content);
  message_ = std::move(first);
  StartWrite(&message_);
}

void ContentStream::End(const absl::Status& status) { Finish(call_.Finish(status)); }

absl::StatusOr<SharedBytes> ContentStream::NextChunk(int64_t size) {
  if (content_.device == nullptr) {
    // ReadBytes counts what it copies; these bytes the engine does not see.
    if (MetricsSink* metrics = engine_.options().metrics) metrics->Transferred("download", size);
    return SharedBytes{content_.host.owner, content_.host.bytes.subspan(static_cast<size_t>(sent_),
                                                                        static_cast<size_t>(size))};
  }
  auto copy = std::make_shared<std::vector<std::byte>>(static_cast<size_t>(size));
  const absl::Status status =
      engine_.ReadBytes(*content_.device, content_.begin + sent_, std::span<std::byte>(*copy));
  if (!status.ok()) return status;
  const std::span<const std::byte> bytes = *copy;
  return SharedBytes{std::move(copy), bytes};
}

void ContentStream::OnWriteDone(bool ok) {
  if (!ok || call_.cancelled()) {
    End(absl::CancelledError("the client went away"));
    return;
  }
  call_.CountSent();
  if (sent_ == content_.size) {
    End(absl::OkStatus());
    return;
  }
  const int64_t size = std::min(kMaxChunkBytes, content_.size - sent_);
  absl::StatusOr<SharedBytes> chunk = NextChunk(size);
  if (!chunk.ok()) {
    End(chunk.status());
    return;
  }
  message_ = MakeChunkMessage(sent_, Crc32c(chunk->bytes), *chunk);
  sent_ += size;
  StartWrite(&message_);
}

}  // namespace riesz
