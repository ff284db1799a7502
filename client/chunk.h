// The messages of chunked transfers on the wire: UploadChunksRequest, DownloadEnsembleResponse and
// ComputeGradientResponse share fields 2 (offset), 3 (crc32c) and 4 (data).
//
// Thread safety: the functions touch only their arguments.
#pragma once

#include <google/protobuf/message_lite.h>
#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/byte_stream.h"

namespace riesz {

// An UploadChunksRequest whose data are the pieces one after another, lent and not copied.
// `upload_id` may be empty after a stream's first message.
grpc::ByteBuffer EncodeChunk(const std::string& upload_id, int64_t offset, uint32_t crc32c,
                             const std::vector<std::span<const std::byte>>& pieces,
                             LentMemory& memory);

struct ReceivedChunk {
  bool has_header = false;  // field 1 was there and was merged into *header
  int64_t offset = 0;
  size_t bytes = 0;
};

// Reads one message: its data go to the front of `out`, field 1 to `header`. DATA_LOSS when the
// message is malformed, longer than `out`, or differs from its checksum.
absl::StatusOr<ReceivedChunk> DecodeChunk(grpc::ByteBuffer& message,
                                          google::protobuf::MessageLite* header,
                                          std::span<std::byte> out);

}  // namespace riesz
