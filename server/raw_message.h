// Messages of raw methods: bytes from and to protobuf, for the small ones.
#pragma once

#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/byte_buffer.h>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "core/error.h"

namespace riesz {

// INVALID_ARGUMENT where the bytes are no such message.
template <typename Message>
absl::StatusOr<Message> ParseRaw(const grpc::ByteBuffer& buffer) {
  Message message;
  grpc::ByteBuffer consumed = buffer;  // shares the bytes; parsing empties it
  if (!grpc::SerializationTraits<Message>::Deserialize(&consumed, &message).ok()) {
    return WithDetail(
        absl::InvalidArgumentError(absl::StrCat("the message is not a ", message.GetTypeName())),
        {ErrorReason::kInvalidField, {{"field", "request"}}});
  }
  return message;
}

template <typename Message>
grpc::ByteBuffer SerializeRaw(const Message& message) {
  grpc::ByteBuffer buffer;
  bool own_buffer = false;
  grpc::SerializationTraits<Message>::Serialize(message, &buffer, &own_buffer);
  return buffer;
}

}  // namespace riesz
