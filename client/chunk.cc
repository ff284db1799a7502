#include "client/chunk.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/crc32c.h"
#include "core/status_macros.h"
#include "riesz/v1/ensemble_service.pb.h"

namespace riesz {
namespace {

using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;
using google::protobuf::io::StringOutputStream;
using WireFormat = google::protobuf::internal::WireFormatLite;

constexpr int kHeader = 1;
constexpr int kOffset = v1::UploadChunksRequest::kOffsetFieldNumber;
constexpr int kCrc32c = v1::UploadChunksRequest::kCrc32CFieldNumber;
constexpr int kData = v1::UploadChunksRequest::kDataFieldNumber;
constexpr uint32_t kDataTag = kData << 3 | WireFormat::WIRETYPE_LENGTH_DELIMITED;

absl::Status Malformed() { return absl::DataLossError("the server sent a malformed chunk"); }

// Field 4: from the message's slices straight to their place, checksummed on the way.
absl::Status ReadData(CodedInputStream& in, std::span<std::byte> out, size_t* bytes,
                      uint32_t* crc) {
  uint32_t length = 0;
  if (!in.ReadVarint32(&length)) return Malformed();
  if (length > out.size()) {
    return absl::DataLossError(absl::StrCat("the server sent a chunk of ", length, " bytes where ",
                                            out.size(), " were left to come"));
  }
  *bytes = length;
  *crc = 0;
  for (size_t done = 0; done < length;) {
    const void* data = nullptr;
    int size = 0;
    if (!in.GetDirectBufferPointer(&data, &size)) return Malformed();
    const size_t n = std::min(static_cast<size_t>(size), length - done);
    *crc = CopyAndCrc32c(out.data() + done, {static_cast<const std::byte*>(data), n}, *crc);
    in.Skip(static_cast<int>(n));
    done += n;
  }
  return absl::OkStatus();
}

absl::Status ReadHeader(CodedInputStream& in, google::protobuf::MessageLite* header) {
  uint32_t length = 0;
  if (!in.ReadVarint32(&length)) return Malformed();
  const auto limit = in.PushLimit(static_cast<int>(length));
  if (!header->MergeFromCodedStream(&in) || !in.ConsumedEntireMessage()) return Malformed();
  in.PopLimit(limit);
  return absl::OkStatus();
}

}  // namespace

grpc::ByteBuffer EncodeChunk(const std::string& upload_id, int64_t offset, uint32_t crc32c,
                             const std::vector<std::span<const std::byte>>& pieces,
                             LentMemory& memory) {
  v1::UploadChunksRequest fields;
  fields.set_upload_id(upload_id);
  fields.set_offset(offset);
  fields.set_crc32c(crc32c);
  std::string front = fields.SerializeAsString();
  size_t bytes = 0;
  for (const auto& piece : pieces) bytes += piece.size();
  {
    StringOutputStream text(&front);
    CodedOutputStream out(&text);
    out.WriteVarint32(kDataTag);
    out.WriteVarint32(static_cast<uint32_t>(bytes));
  }
  std::vector<grpc::Slice> slices = {grpc::Slice(front)};
  for (const auto& piece : pieces) slices.push_back(memory.Lend(piece));
  return grpc::ByteBuffer(slices.data(), slices.size());
}

absl::StatusOr<ReceivedChunk> DecodeChunk(grpc::ByteBuffer& message,
                                          google::protobuf::MessageLite* header,
                                          std::span<std::byte> out) {
  grpc::ProtoBufferReader reader(&message);
  CodedInputStream in(&reader);
  ReceivedChunk chunk;
  uint32_t announced = 0;
  uint32_t computed = 0;
  while (const uint32_t tag = in.ReadTag()) {
    switch (WireFormat::GetTagFieldNumber(tag)) {
      case kHeader:
        RIESZ_RETURN_IF_ERROR(ReadHeader(in, header));
        chunk.has_header = true;
        break;
      case kOffset: {
        uint64_t value = 0;
        if (!in.ReadVarint64(&value)) return Malformed();
        chunk.offset = static_cast<int64_t>(value);
        break;
      }
      case kCrc32c:
        if (!in.ReadLittleEndian32(&announced)) return Malformed();
        break;
      case kData:
        RIESZ_RETURN_IF_ERROR(ReadData(in, out, &chunk.bytes, &computed));
        break;
      default:
        if (!WireFormat::SkipField(&in, tag)) return Malformed();
    }
  }
  if (!in.ConsumedEntireMessage()) return Malformed();
  if (announced != computed) {
    return absl::DataLossError(
        absl::StrFormat("chunk at offset %d: CRC32C is %08x, the server said %08x", chunk.offset,
                        computed, announced));
  }
  return chunk;
}

}  // namespace riesz
