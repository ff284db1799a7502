#include "server/chunk_frame.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "core/error.h"
#include "core/status_macros.h"
#include "server/convert.h"

namespace riesz {
namespace {

constexpr int64_t kMaxUploadIdBytes = 128;

// Protobuf's wire types.
enum WireType { kVarint = 0, kFixed64 = 1, kLengthDelimited = 2, kFixed32 = 5 };

// Reads forward over slices.
class Cursor {
 public:
  explicit Cursor(const std::vector<grpc::Slice>& slices) : slices_(slices) {
    for (const grpc::Slice& slice : slices) left_ += static_cast<int64_t>(slice.size());
    SkipEmpty();
  }

  int64_t left() const { return left_; }

  bool Byte(uint8_t& out) {
    if (left_ == 0) return false;
    out = slices_[index_].begin()[at_];
    Advance(1);
    return true;
  }

  bool Varint(uint64_t& out) {
    out = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      uint8_t byte;
      if (!Byte(byte)) return false;
      out |= static_cast<uint64_t>(byte & 0x7f) << (shift & 63);
      if ((byte & 0x80) == 0) return true;
    }
    return false;
  }

  bool Fixed32(uint32_t& out) {
    out = 0;
    for (int i = 0; i < 4; ++i) {
      uint8_t byte;
      if (!Byte(byte)) return false;
      out |= static_cast<uint32_t>(byte) << (8 * i);
    }
    return true;
  }

  // Passes over `size` bytes, which `visit(span)` sees piece by piece.
  template <typename Visit>
  bool Pass(uint64_t size, const Visit& visit) {
    if (size > static_cast<uint64_t>(left_)) return false;
    while (size > 0) {
      const grpc::Slice& slice = slices_[index_];
      const size_t taken = std::min<size_t>(size, slice.size() - at_);
      visit(std::span(reinterpret_cast<const std::byte*>(slice.begin()) + at_, taken));
      Advance(taken);
      size -= taken;
    }
    return true;
  }

 private:
  void Advance(size_t size) {
    at_ += size;
    left_ -= static_cast<int64_t>(size);
    if (at_ == slices_[index_].size()) {
      ++index_;
      at_ = 0;
      SkipEmpty();
    }
  }
  void SkipEmpty() {
    while (index_ < slices_.size() && slices_[index_].size() == 0) ++index_;
  }

  const std::vector<grpc::Slice>& slices_;
  size_t index_ = 0;
  size_t at_ = 0;
  int64_t left_ = 0;
};

absl::Status Malformed() {
  return WithDetail(absl::InvalidArgumentError("the message is not a riesz.v1.UploadChunksRequest"),
                    {ErrorReason::kInvalidField, {{"field", "request"}}});
}

bool SkipField(Cursor& cursor, uint32_t wire_type) {
  uint64_t size;
  switch (wire_type) {
    case kVarint:
      return cursor.Varint(size);
    case kFixed64:
      return cursor.Pass(8, [](auto) {});
    case kLengthDelimited:
      return cursor.Varint(size) && cursor.Pass(size, [](auto) {});
    case kFixed32:
      return cursor.Pass(4, [](auto) {});
    default:  // groups, which proto3 does not have
      return false;
  }
}

// One field after its tag. An id or data beyond its bound is reported by length, not kept.
absl::Status ReadField(Cursor& cursor, uint64_t tag, UploadFrame& frame) {
  uint64_t value;
  switch (tag) {
    case (1 << 3) | kLengthDelimited:
      frame.upload_id.clear();
      if (!cursor.Varint(value) || value > static_cast<uint64_t>(cursor.left())) return Malformed();
      if (value > kMaxUploadIdBytes) {
        return InvalidField("upload_id", absl::StrCat("at most ", kMaxUploadIdBytes, " bytes"),
                            absl::StrCat(value));
      }
      cursor.Pass(value, [&frame](std::span<const std::byte> piece) {
        frame.upload_id.append(reinterpret_cast<const char*>(piece.data()), piece.size());
      });
      return absl::OkStatus();
    case (2 << 3) | kVarint:
      if (!cursor.Varint(value)) return Malformed();
      frame.offset = static_cast<int64_t>(value);
      return absl::OkStatus();
    case (3 << 3) | kFixed32:
      return cursor.Fixed32(frame.crc32c) ? absl::OkStatus() : Malformed();
    case (4 << 3) | kLengthDelimited:
      frame.data.clear();
      if (!cursor.Varint(value) || value > static_cast<uint64_t>(cursor.left())) return Malformed();
      if (value > static_cast<uint64_t>(kMaxChunkBytes)) {
        return InvalidField("data", absl::StrCat("at most ", kMaxChunkBytes, " bytes"),
                            absl::StrCat(value));
      }
      frame.data_bytes = static_cast<int64_t>(value);
      cursor.Pass(value,
                  [&frame](std::span<const std::byte> piece) { frame.data.push_back(piece); });
      return absl::OkStatus();
    default:
      if (tag >> 3 == 0 || tag > UINT32_MAX || !SkipField(cursor, tag & 7)) return Malformed();
      return absl::OkStatus();
  }
}

char* AppendVarint(uint64_t value, char* at) {
  while (value >= 0x80) {
    *at++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *at++ = static_cast<char>(value);
  return at;
}

}  // namespace

absl::StatusOr<UploadFrame> ParseUploadFrame(const grpc::ByteBuffer& buffer) {
  UploadFrame frame;
  if (!buffer.Dump(&frame.slices).ok()) return Malformed();
  frame.data.reserve(frame.slices.size());
  Cursor cursor(frame.slices);
  while (cursor.left() > 0) {
    uint64_t tag;
    if (!cursor.Varint(tag)) return Malformed();
    RIESZ_RETURN_IF_ERROR(ReadField(cursor, tag, frame));
  }
  return frame;
}

grpc::ByteBuffer MakeChunkMessage(int64_t offset, uint32_t crc32c, const SharedBytes& chunk) {
  char header[32];  // 3 tags, two varints of at most 10 bytes, 4 bytes of CRC
  char* end = header;
  *end++ = (2 << 3) | kVarint;
  end = AppendVarint(static_cast<uint64_t>(offset), end);
  *end++ = (3 << 3) | kFixed32;
  for (int i = 0; i < 4; ++i) *end++ = static_cast<char>(crc32c >> (8 * i));
  *end++ = (4 << 3) | kLengthDelimited;
  end = AppendVarint(chunk.bytes.size(), end);

  auto* owner = new std::shared_ptr<const void>(chunk.owner);
  const grpc::Slice slices[2] = {
      grpc::Slice(header, static_cast<size_t>(end - header)),
      // gRPC only reads what it sends.
      grpc::Slice(
          const_cast<std::byte*>(chunk.bytes.data()), chunk.bytes.size(),
          [](void* kept) { delete static_cast<std::shared_ptr<const void>*>(kept); }, owner)};
  return grpc::ByteBuffer(slices, 2);
}

}  // namespace riesz
