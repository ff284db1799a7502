// Data messages read and written by hand, so that their megabyte of `data` is never copied into a
// protobuf object: UploadChunksRequest in; DownloadEnsembleResponse and ComputeGradientResponse
// out.
//
// Thread safety: the functions are pure.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace riesz {

// An UploadChunksRequest whose `data` stays where gRPC received it.
struct UploadFrame {
  UploadFrame() = default;
  // Small slices hold their bytes inside: a copy's `data` would point into the original.
  UploadFrame(UploadFrame&&) = default;
  UploadFrame& operator=(UploadFrame&&) = default;

  std::string upload_id;
  int64_t offset = 0;
  uint32_t crc32c = 0;
  std::vector<std::span<const std::byte>> data;  // into `slices`
  int64_t data_bytes = 0;
  std::vector<grpc::Slice> slices;  // keep the bytes alive
};

// Accepts what protobuf accepts: fields in any order, the last of a repeated one wins, unknown
// fields are passed over. INVALID_ARGUMENT where the bytes are no such message, the upload id is
// longer than 128 bytes, or `data` is longer than kMaxChunkBytes.
absl::StatusOr<UploadFrame> ParseUploadFrame(const grpc::ByteBuffer& buffer);

// Bytes that somebody keeps alive.
struct SharedBytes {
  std::shared_ptr<const void> owner;
  std::span<const std::byte> bytes;
};

// A message with offset, crc32c and data (fields 2 to 4) that refers to `chunk` without a copy; the
// owner is let go when gRPC has sent it.
grpc::ByteBuffer MakeChunkMessage(int64_t offset, uint32_t crc32c, const SharedBytes& chunk);

}  // namespace riesz
