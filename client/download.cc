#include <grpcpp/impl/codegen/proto_utils.h>

#include <cstring>
#include <new>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/byte_stream.h"
#include "client/chunk.h"
#include "client/client.h"
#include "client/client_call.h"
#include "client/grpc_error.h"
#include "client/resume.h"
#include "core/large_memory.h"
#include "core/status_macros.h"

namespace riesz {
namespace {

constexpr char kDownloadEnsemble[] = "/riesz.v1.EnsembleService/DownloadEnsemble";
constexpr char kComputeGradient[] = "/riesz.v1.DiscrepancyService/ComputeGradient";
constexpr int64_t kMaxBytes = int64_t{1} << 42;  // the service's largest ensemble

grpc::ByteBuffer Serialize(const google::protobuf::MessageLite& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

absl::StatusOr<Matrix> Allocate(const v1::ResolvedParticles& shape, int64_t total_bytes) {
  const int64_t n = shape.count();
  const int64_t d = shape.dimension();
  if (n < 1 || d < 1 || total_bytes < 1 || total_bytes > kMaxBytes || total_bytes / 4 / d != n ||
      total_bytes % (4 * d) != 0) {
    return absl::DataLossError(
        absl::StrCat("the server announced ", total_bytes, " bytes for ", n, " x ", d, " float32"));
  }
  try {
    return Matrix::Uninitialized(n, d);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(absl::StrCat("no memory for ", total_bytes, " bytes"));
  }
}

// Called with the header, before data: where the stream's bytes go.
using OnHeader = std::function<absl::StatusOr<std::span<std::byte>>()>;

// Reads one stream to its end. `received` counts the bytes that arrived and were checked, also when
// the stream breaks.
absl::Status Receive(ByteStream& stream, grpc::ByteBuffer& next,
                     google::protobuf::MessageLite* header, const OnHeader& on_header,
                     int64_t* received, const std::function<void(int64_t)>& progress) {
  std::optional<std::span<std::byte>> out;
  PageFeeder pages;
  stream.StartRead(&next);
  absl::Status failure;
  while (stream.Wait()) {
    grpc::ByteBuffer message;
    message.Swap(&next);
    // The next message arrives while this one is copied.
    next.Clear();
    stream.StartRead(&next);
    pages.ReadyUntil(static_cast<size_t>(*received) + message.Length());
    const auto chunk =
        DecodeChunk(message, header,
                    out ? out->subspan(static_cast<size_t>(*received)) : std::span<std::byte>());
    if (!chunk.ok()) {
      failure = chunk.status();
      break;
    }
    if (chunk->bytes > 0 && chunk->offset != *received) {
      failure = absl::DataLossError(absl::StrCat("a chunk at offset ", chunk->offset,
                                                 " came where ", *received, " was next"));
      break;
    }
    if (chunk->has_header && !out) {
      absl::StatusOr<std::span<std::byte>> place = on_header();
      if (!place.ok()) {
        failure = place.status();
        break;
      }
      out = *place;
      pages = PageFeeder(*out);
    }
    *received += static_cast<int64_t>(chunk->bytes);
    if (progress && chunk->bytes > 0) progress(*received);
  }
  if (!failure.ok()) return failure;  // the caller cancels and drains
  if (out && static_cast<size_t>(*received) == out->size()) return absl::OkStatus();
  return absl::UnavailableError("the stream ended before its last chunk");
}

// Runs one streaming call to its end: the server's error first, then ours.
absl::Status ReceiveAll(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                        grpc::ClientContext* context, const google::protobuf::MessageLite& request,
                        google::protobuf::MessageLite* header, const OnHeader& on_header,
                        int64_t* received, const std::function<void(int64_t)>& progress) {
  grpc::ByteBuffer next;  // outlives a read that is still under way when Receive gives up
  ByteStream stream(channel, method, context);
  stream.StartWrite(Serialize(request), /*last=*/true);
  stream.Wait();
  const absl::Status status = Receive(stream, next, header, on_header, received, progress);
  if (stream.pending()) {
    context->TryCancel();
    stream.Wait();
    stream.Finish();
    return status;
  }
  RIESZ_RETURN_IF_ERROR(FromGrpcStatus(stream.Finish()));
  return status;
}

}  // namespace

absl::StatusOr<Download> Client::DownloadParticles(const v1::Particles& source, int64_t first_row,
                                                   int64_t row_count,
                                                   const TransferProgress& progress) {
  v1::DownloadEnsembleRequest request;
  *request.mutable_source() = source;
  Download out;
  int64_t done = 0;  // whole rows' bytes
  ResumePolicy policy;
  while (true) {
    const int64_t row_bytes = out.particles.cols() * 4;
    const int64_t done_rows = row_bytes > 0 ? done / row_bytes : 0;
    request.set_first_row(first_row + done_rows);
    // The first header fixed how many rows there are; a resumed stream brings the rest of them.
    request.set_row_count(done_rows > 0 ? out.particles.rows() - done_rows : row_count);
    v1::DownloadHeader header;
    const OnHeader on_header = [&]() -> absl::StatusOr<std::span<std::byte>> {
      if (out.particles.size() == 0) {
        out.header = header;
        v1::ResolvedParticles shape = header.resolved();
        if (shape.dimension() > 0) shape.set_count(header.total_bytes() / 4 / shape.dimension());
        RIESZ_ASSIGN_OR_RETURN(out.particles, Allocate(shape, header.total_bytes()));
        if (source.has_flow() && header.resolved().has_flow_step()) {
          request.mutable_source()->mutable_flow()->set_step(header.resolved().flow_step());
        }
      }
      const auto rest = std::as_writable_bytes(std::span(out.particles.data(),
                                                         static_cast<size_t>(out.particles.size())))
                            .subspan(static_cast<size_t>(done));
      if (header.total_bytes() != static_cast<int64_t>(rest.size())) {
        return absl::DataLossError("the source changed while it was downloaded");
      }
      return rest;
    };
    const auto on_bytes = [&](int64_t received) {
      if (progress) progress(done + received, static_cast<int64_t>(out.particles.bytes()));
    };
    int64_t received = 0;
    Call call(*this);
    const absl::Status status = ReceiveAll(channel_, kDownloadEnsemble, call.context(), request,
                                           &header, on_header, &received, on_bytes);
    if (status.ok()) return out;
    if (!absl::IsUnavailable(status)) return status;
    if (out.particles.size() > 0) {
      done += received / (out.particles.cols() * 4) * (out.particles.cols() * 4);
    }
    if (!policy.Pause(done)) return status;
  }
}

absl::StatusOr<std::vector<int32_t>> Client::DownloadLabels(const std::string& ensemble) {
  v1::DownloadEnsembleRequest request;
  request.mutable_source()->set_ensemble(ensemble);
  request.set_part(v1::ENSEMBLE_PART_LABELS);
  v1::DownloadHeader header;
  std::vector<int32_t> labels;
  const OnHeader on_header = [&]() -> absl::StatusOr<std::span<std::byte>> {
    if (header.total_bytes() != header.resolved().count() * 4 || header.total_bytes() < 1 ||
        header.total_bytes() > kMaxBytes) {
      return absl::DataLossError("the server announced another size than that of its labels");
    }
    labels.resize(static_cast<size_t>(header.resolved().count()));
    return std::as_writable_bytes(std::span(labels));
  };
  int64_t received = 0;
  Call call(*this);
  RIESZ_RETURN_IF_ERROR(ReceiveAll(channel_, kDownloadEnsemble, call.context(), request, &header,
                                   on_header, &received, nullptr));
  return labels;
}

absl::StatusOr<GradientReply> Client::ComputeGradient(v1::ComputeGradientRequest request,
                                                      const TransferProgress& progress) {
  if (request.request_id().empty()) request.set_request_id(RandomId());
  GradientReply out;
  const OnHeader on_header = [&]() -> absl::StatusOr<std::span<std::byte>> {
    if (out.summary.has_ensemble()) return std::span<std::byte>();
    RIESZ_ASSIGN_OR_RETURN(out.gradient, Allocate(out.summary.x(), out.summary.total_bytes()));
    return std::as_writable_bytes(
        std::span(out.gradient.data(), static_cast<size_t>(out.gradient.size())));
  };
  const auto on_bytes = [&](int64_t done) {
    if (progress) progress(done, out.summary.total_bytes());
  };
  int64_t received = 0;
  Call call(*this);
  RIESZ_RETURN_IF_ERROR(ReceiveAll(channel_, kComputeGradient, call.context(), request,
                                   &out.summary, on_header, &received, on_bytes));
  return out;
}

}  // namespace riesz
