#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/byte_stream.h"
#include "client/chunk.h"
#include "client/client.h"
#include "client/client_call.h"
#include "client/grpc_error.h"
#include "client/resume.h"
#include "core/crc32c.h"
#include "core/status_macros.h"

namespace riesz {
namespace {

constexpr char kUploadChunks[] = "/riesz.v1.EnsembleService/UploadChunks";

using Pieces = std::vector<std::span<const std::byte>>;

// Bytes [offset, offset + bytes) of particles, then weights, then labels.
Pieces Slice(const UploadContent& content, int64_t offset, int64_t bytes) {
  const std::span<const float> particles(content.particles.data,
                                         static_cast<size_t>(content.particles.size()));
  Pieces out;
  for (std::span<const std::byte> part :
       {std::as_bytes(particles), std::as_bytes(content.weights), std::as_bytes(content.labels)}) {
    const auto size = static_cast<int64_t>(part.size());
    const int64_t begin = std::clamp<int64_t>(offset, 0, size);
    const int64_t end = std::clamp<int64_t>(offset + bytes, 0, size);
    if (begin < end) {
      out.push_back(part.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin)));
    }
    offset -= size;
  }
  return out;
}

uint32_t ChecksumOf(const Pieces& pieces) {
  uint32_t crc = 0;
  for (const auto& piece : pieces) crc = ExtendCrc32c(crc, piece);
  return crc;
}

bool SameLength(size_t optional_part, int64_t rows) {
  return optional_part == 0 || static_cast<int64_t>(optional_part) == rows;
}

}  // namespace

absl::StatusOr<v1::Ensemble> Client::Upload(v1::StartUploadRequest about,
                                            const UploadContent& content,
                                            const TransferProgress& progress) {
  const MatrixView& particles = content.particles;
  if (!SameLength(content.weights.size(), particles.rows) ||
      !SameLength(content.labels.size(), particles.rows)) {
    return absl::InvalidArgumentError(
        absl::StrCat("there must be none or ", particles.rows, " weights and labels, got ",
                     content.weights.size(), " and ", content.labels.size()));
  }
  about.set_count(particles.rows);
  about.set_dimension(particles.cols);
  about.set_data_type(v1::DATA_TYPE_FLOAT32);
  about.set_has_weights(!content.weights.empty());
  about.set_has_labels(!content.labels.empty());
  RIESZ_ASSIGN_OR_RETURN(v1::StartUploadResponse started,
                         Unary(ensembles_, &v1::EnsembleService::Stub::StartUpload, about));

  v1::FinishUploadRequest finish;
  finish.set_upload_id(started.upload().id());
  absl::StatusOr<v1::FinishUploadResponse> finished;
  uint32_t crc32c = 0;
  absl::Status sent = SendUntilComplete(started.upload(), content, progress, &crc32c);
  if (sent.ok()) {
    finish.set_crc32c(crc32c);
    finished = Unary(ensembles_, &v1::EnsembleService::Stub::FinishUpload, finish);
    if (finished.ok()) return finished->ensemble();
    sent = finished.status();
  }
  // Best effort, and also after Cancel: what cannot be dropped now expires on the server.
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(2));
  v1::AbortUploadRequest abort;
  abort.set_upload_id(started.upload().id());
  v1::AbortUploadResponse aborted;
  ensembles_->AbortUpload(&context, abort, &aborted);
  return sent;
}

absl::Status Client::SendUntilComplete(v1::Upload upload, const UploadContent& content,
                                       const TransferProgress& progress, uint32_t* crc32c) {
  ResumePolicy policy;
  while (true) {
    const absl::StatusOr<v1::Upload> sent = SendChunks(upload, content, progress, crc32c);
    if (sent.ok() && sent->committed_bytes() == upload.total_bytes()) return absl::OkStatus();
    const absl::Status broken =
        sent.ok() ? absl::UnavailableError("the stream ended before its last chunk")
                  : sent.status();
    v1::QueryUploadRequest query;
    query.set_upload_id(upload.id());
    // What the stream died of says more than that the server cannot be asked about it either.
    if (!ResumePolicy::IsWorthResuming(broken) || !policy.Pause(upload.committed_bytes())) {
      return broken;
    }
    auto queried = Unary(ensembles_, &v1::EnsembleService::Stub::QueryUpload, query);
    if (!queried.ok()) return broken;
    upload = queried->upload();
    const int64_t committed = upload.committed_bytes();
    *crc32c = ChecksumOf(Slice(content, 0, committed));
    if (committed < 0 || committed > upload.total_bytes() || *crc32c != upload.committed_crc32c()) {
      return absl::DataLossError(
          absl::StrCat("the server's first ", committed, " bytes are not those that were sent"));
    }
  }
}

absl::StatusOr<v1::Upload> Client::SendChunks(const v1::Upload& upload,
                                              const UploadContent& content,
                                              const TransferProgress& progress, uint32_t* crc32c) {
  const int64_t total = upload.total_bytes();
  const int64_t content_bytes = content.particles.size() * 4 +
                                static_cast<int64_t>(content.weights.size_bytes()) +
                                static_cast<int64_t>(content.labels.size_bytes());
  if (total != content_bytes || upload.max_chunk_bytes() < 1) {
    return absl::InternalError(absl::StrCat("the server expects ", total, " bytes in chunks of ",
                                            upload.max_chunk_bytes(), ", not ", content_bytes));
  }
  LentMemory memory;  // before all that may hold slices of it
  Call call(*this);
  ByteStream stream(channel_, kUploadChunks, call.context());
  const auto encode = [&](int64_t offset) {
    const Pieces pieces = Slice(content, offset, upload.max_chunk_bytes());
    const uint32_t crc = ChecksumOf(pieces);
    const int64_t bytes = std::min(upload.max_chunk_bytes(), total - offset);
    *crc32c = CombineCrc32c(*crc32c, crc, static_cast<uint64_t>(bytes));
    return EncodeChunk(offset == upload.committed_bytes() ? upload.id() : "", offset, crc, pieces,
                       memory);
  };
  int64_t offset = upload.committed_bytes();
  bool writable = true;
  if (offset == total) stream.WritesDone();
  grpc::ByteBuffer message = offset < total ? encode(offset) : grpc::ByteBuffer();
  while (writable && offset < total) {
    const int64_t next = std::min(offset + upload.max_chunk_bytes(), total);
    stream.StartWrite(message, /*last=*/next == total);
    // The next chunk's checksum is computed while this one is on its way.
    grpc::ByteBuffer following = next < total ? encode(next) : grpc::ByteBuffer();
    writable = stream.Wait();
    message = std::move(following);
    offset = next;
    if (writable && progress) progress(offset, total);
  }
  grpc::ByteBuffer answer;
  v1::UploadChunksResponse response;
  bool answered = false;
  if (writable) {
    stream.StartRead(&answer);
    answered = stream.Wait();
  }
  RIESZ_RETURN_IF_ERROR(FromGrpcStatus(stream.Finish()));
  if (!answered || !grpc::GenericDeserialize<grpc::ProtoBufferReader, v1::UploadChunksResponse>(
                        &answer, &response)
                        .ok()) {
    return absl::UnavailableError("the stream ended without an answer");
  }
  return response.upload();
}

}  // namespace riesz
