#include "server/ensemble_service.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/engine/engine.h"
#include "core/error.h"
#include "core/status_macros.h"
#include "server/content_stream.h"
#include "server/convert.h"
#include "server/mutation.h"
#include "server/raw_message.h"
#include "server/unary.h"
#include "server/upload_stream.h"

namespace riesz {
namespace {

struct PartContent {
  StreamContent content;
  int64_t row_bytes = 0;
};

// The whole part, which lies in host memory for weights and labels.
template <typename T>
absl::StatusOr<SharedBytes> HostColumn(const std::shared_ptr<const std::vector<T>>& column,
                                       std::string_view what) {
  if (column == nullptr) {
    return WithDetail(absl::NotFoundError(absl::StrCat("the source has no ", std::string(what))),
                      {ErrorReason::kNotFound, {{"resource", std::string(what)}}});
  }
  return SharedBytes{column, std::as_bytes(std::span<const T>(*column))};
}

// Rows [first, first + count) of a part.
absl::StatusOr<StreamContent> RowsOf(const ResolvedParticles& resolved, v1::EnsemblePart part,
                                     int64_t first, int64_t count) {
  if (part == v1::ENSEMBLE_PART_UNSPECIFIED || part == v1::ENSEMBLE_PART_PARTICLES) {
    const int64_t row_bytes = resolved.dim * int64_t{sizeof(float)};
    return ContentOf(resolved.particles, first * row_bytes, count * row_bytes);
  }
  SharedBytes column;
  if (part == v1::ENSEMBLE_PART_WEIGHTS) {
    RIESZ_ASSIGN_OR_RETURN(column, HostColumn(resolved.weights, "weights"));
  } else {
    RIESZ_ASSIGN_OR_RETURN(column, HostColumn(resolved.labels, "labels"));
  }
  StreamContent content;
  content.size = count * 4;
  content.host = {column.owner, column.bytes.subspan(static_cast<size_t>(first * 4),
                                                     static_cast<size_t>(content.size))};
  return content;
}

// Starts sending, or says why not.
absl::Status StartDownload(const v1::DownloadEnsembleRequest& request,
                           const ResolvedParticles& resolved, ContentStream& stream) {
  const int64_t first = request.first_row();
  if (first > resolved.count || request.row_count() > resolved.count - first) {
    return WithDetail(absl::OutOfRangeError(
                          absl::StrCat("rows ", first, " to ", first, " + ", request.row_count(),
                                       " lie outside the source's ", resolved.count, " rows")),
                      {ErrorReason::kInvalidField, {{"field", "first_row"}}});
  }
  const int64_t count = request.row_count() == 0 ? resolved.count - first : request.row_count();
  RIESZ_ASSIGN_OR_RETURN(StreamContent content, RowsOf(resolved, request.part(), first, count));
  v1::DownloadEnsembleResponse message;
  v1::DownloadHeader* header = message.mutable_header();
  ToProto(ResolvedShape{resolved.count, resolved.dim, resolved.flow_step},
          header->mutable_resolved());
  header->set_total_bytes(content.size);
  if (resolved.sample_shape) ToProto(*resolved.sample_shape, header->mutable_sample_shape());
  stream.Send(SerializeRaw(message), std::move(content));
  return absl::OkStatus();
}

absl::StatusOr<ParticlesRef> DownloadSource(const v1::DownloadEnsembleRequest& request) {
  if (!v1::EnsemblePart_IsValid(request.part())) {
    return InvalidField("part",
                        "ENSEMBLE_PART_PARTICLES, ENSEMBLE_PART_WEIGHTS or ENSEMBLE_PART_LABELS",
                        absl::StrCat(static_cast<int>(request.part())));
  }
  if (request.first_row() < 0) {
    return InvalidField("first_row", ">= 0", absl::StrCat(request.first_row()));
  }
  if (request.row_count() < 0) {
    return InvalidField("row_count", ">= 0", absl::StrCat(request.row_count()));
  }
  return FromProto(request.source(), "source");
}

}  // namespace

EnsembleServiceImpl::EnsembleServiceImpl(const ServiceContext& context) : service_(context) {}

grpc::ServerUnaryReactor* EnsembleServiceImpl::CreateEnsemble(
    grpc::CallbackServerContext* context, const v1::CreateEnsembleRequest* request,
    v1::CreateEnsembleResponse* response) {
  return AnswerMutation(
      service_.guard, service_.requests, create_, context, request, response,
      [&engine = service_.engine, request, response](Call& call, const MutationDone& done) {
        absl::StatusOr<NewEnsemble> ensemble = FromProto(*request);
        if (!ensemble.ok()) return done(ensemble.status());
        engine.CreateEnsemble(call.MakeContext(), std::move(ensemble->traits),
                              std::move(ensemble->source),
                              [response, done](const absl::StatusOr<EnsembleInfo>& info) {
                                if (info.ok()) ToProto(*info, response->mutable_ensemble());
                                done(info.status());
                              });
      });
}

grpc::ServerUnaryReactor* EnsembleServiceImpl::StartUpload(grpc::CallbackServerContext* context,
                                                           const v1::StartUploadRequest* request,
                                                           v1::StartUploadResponse* response) {
  return AnswerMutation(
      service_.guard, service_.requests, start_upload_, context, request, response,
      [&engine = service_.engine, request, response](Call& call, const MutationDone& done) {
        const absl::StatusOr<UploadRequest> upload = FromProto(*request);
        if (!upload.ok()) return done(upload.status());
        const absl::StatusOr<UploadInfo> info = engine.StartUpload(call.MakeContext(), *upload);
        if (info.ok()) ToProto(*info, response->mutable_upload());
        done(info.status());
      });
}

grpc::ServerReadReactor<grpc::ByteBuffer>* EnsembleServiceImpl::UploadChunks(
    grpc::CallbackServerContext* context, grpc::ByteBuffer* response) {
  return new UploadStream(service_.engine, service_.guard, upload_chunks_, context, response);
}

grpc::ServerUnaryReactor* EnsembleServiceImpl::QueryUpload(grpc::CallbackServerContext* context,
                                                           const v1::QueryUploadRequest* request,
                                                           v1::QueryUploadResponse* response) {
  return AnswerNow(service_.guard, query_upload_, context, [&](Call& call) -> absl::Status {
    RIESZ_ASSIGN_OR_RETURN(const UploadInfo info,
                           service_.engine.QueryUpload(call.MakeContext(), request->upload_id()));
    ToProto(info, response->mutable_upload());
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* EnsembleServiceImpl::FinishUpload(grpc::CallbackServerContext* context,
                                                            const v1::FinishUploadRequest* request,
                                                            v1::FinishUploadResponse* response) {
  return AnswerMutation(
      service_.guard, service_.requests, finish_upload_, context, request, response,
      [&engine = service_.engine, request, response](Call& call, const MutationDone& done) {
        const absl::StatusOr<EnsembleInfo> info =
            engine.FinishUpload(call.MakeContext(), request->upload_id(), request->crc32c());
        if (info.ok()) ToProto(*info, response->mutable_ensemble());
        done(info.status());
      });
}

grpc::ServerUnaryReactor* EnsembleServiceImpl::AbortUpload(grpc::CallbackServerContext* context,
                                                           const v1::AbortUploadRequest* request,
                                                           v1::AbortUploadResponse* response) {
  return AnswerMutation(service_.guard, service_.requests, abort_upload_, context, request,
                        response,
                        [&engine = service_.engine, request](Call& call, const MutationDone& done) {
                          done(engine.AbortUpload(call.MakeContext(), request->upload_id()));
                        });
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* EnsembleServiceImpl::DownloadEnsemble(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* request) {
  auto* stream = new ContentStream(service_.engine, service_.guard, download_, context);
  if (!stream->call().admission().ok()) {
    stream->End(stream->call().admission());
    return stream;
  }
  absl::StatusOr<v1::DownloadEnsembleRequest> message =
      ParseRaw<v1::DownloadEnsembleRequest>(*request);
  absl::StatusOr<ParticlesRef> source =
      message.ok() ? DownloadSource(*message) : absl::StatusOr<ParticlesRef>(message.status());
  if (!source.ok()) {
    stream->End(source.status());
    return stream;
  }
  service_.engine.Resolve(
      stream->call().MakeContext(), *std::move(source),
      [stream, message = *std::move(message)](const absl::StatusOr<ResolvedParticles>& resolved) {
        const absl::Status status =
            resolved.ok() ? StartDownload(message, *resolved, *stream) : resolved.status();
        if (!status.ok()) stream->End(status);
      });
  return stream;
}

grpc::ServerUnaryReactor* EnsembleServiceImpl::GetEnsemble(grpc::CallbackServerContext* context,
                                                           const v1::GetEnsembleRequest* request,
                                                           v1::GetEnsembleResponse* response) {
  return AnswerNow(service_.guard, get_, context, [&](Call& call) -> absl::Status {
    RIESZ_RETURN_IF_ERROR(CheckId("id", request->id()));
    RIESZ_ASSIGN_OR_RETURN(const EnsembleInfo info,
                           service_.engine.GetEnsemble(call.MakeContext(), request->id()));
    ToProto(info, response->mutable_ensemble());
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* EnsembleServiceImpl::ListEnsembles(
    grpc::CallbackServerContext* context, const v1::ListEnsemblesRequest* request,
    v1::ListEnsemblesResponse* response) {
  return AnswerNow(service_.guard, list_, context, [&](Call& call) -> absl::Status {
    RIESZ_ASSIGN_OR_RETURN(const PageRequest page_request, PageFromProto(*request));
    RIESZ_ASSIGN_OR_RETURN(Page<EnsembleInfo> page,
                           service_.engine.ListEnsembles(call.MakeContext(), page_request));
    for (const EnsembleInfo& info : page.items) ToProto(info, response->add_ensembles());
    response->set_next_page_token(std::move(page.next_page_token));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* EnsembleServiceImpl::DeleteEnsemble(
    grpc::CallbackServerContext* context, const v1::DeleteEnsembleRequest* request,
    v1::DeleteEnsembleResponse* response) {
  return AnswerMutation(
      service_.guard, service_.requests, delete_, context, request, response,
      [&engine = service_.engine, request](Call& call, const MutationDone& done) {
        const absl::Status status = CheckId("id", request->id());
        done(status.ok() ? engine.DeleteEnsemble(call.MakeContext(), request->id()) : status);
      });
}

}  // namespace riesz
