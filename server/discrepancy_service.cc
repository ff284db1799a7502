#include "server/discrepancy_service.h"

#include <memory>
#include <utility>

#include "core/engine/engine.h"
#include "core/engine/request_log.h"
#include "core/error.h"
#include "server/content_stream.h"
#include "server/convert.h"
#include "server/mutation.h"
#include "server/raw_message.h"
#include "server/unary.h"

namespace riesz {
namespace {

// Sends a gradient, or only its summary where it is kept; tells the log which.
void SendGradient(const absl::StatusOr<GradientReply>& reply, ContentStream& stream,
                  RequestLog::Call& first) {
  if (!reply.ok()) {
    first.Fail(reply.status());
    stream.End(reply.status());
    return;
  }
  v1::ComputeGradientResponse message;
  v1::GradientSummary* summary = message.mutable_summary();
  ToProto(*reply, summary);
  StreamContent content;
  if (!reply->kept) content = ContentOf(reply->gradient, 0, reply->gradient->bytes());
  summary->set_total_bytes(content.size);
  first.Succeed(message.SerializeAsString());
  stream.Send(SerializeRaw(message), std::move(content));
}

// A repeat of a kept gradient: the first answer was one message.
void SendKeptAnswer(const absl::StatusOr<std::string>& answer, ContentStream& stream) {
  if (!answer.ok()) {
    stream.End(answer.status());
    return;
  }
  const grpc::Slice slice(*answer);
  stream.Send(grpc::ByteBuffer(&slice, 1), {});
}

void RunGradient(const ServiceContext& service, const v1::ComputeGradientRequest& message,
                 ContentStream& stream) {
  absl::StatusOr<GradientRequest> request = FromProto(message);
  if (request.ok()) {
    const absl::Status valid = CheckRequestId(message.request_id());
    if (!valid.ok()) request = valid;
  }
  if (!request.ok()) {
    stream.End(request.status());
    return;
  }
  auto first = std::make_shared<RequestLog::Call>();
  // A streamed gradient changes nothing, so a retry may compute it again.
  if (request->keep_as && !message.request_id().empty()) {
    RequestLog::Begun begun = service.requests.Begin(
        CallContext().tenant, message.request_id(),
        Fingerprint("ComputeGradient", DeterministicBytes(message)),
        [service, message, &stream](const absl::StatusOr<std::string>& answer) {
          if (!answer.ok() && EndedWithItsClient(answer.status()) && !stream.call().cancelled()) {
            RunGradient(service, message, stream);
          } else {
            SendKeptAnswer(answer, stream);
          }
        });
    switch (begun.kind) {
      case RequestLog::Kind::kRunning:
        return;
      case RequestLog::Kind::kFinished:
        SendKeptAnswer(std::move(begun.answer), stream);
        return;
      case RequestLog::Kind::kReused:
        stream.End(begun.status);
        return;
      case RequestLog::Kind::kNew:
      case RequestLog::Kind::kNone:
        *first = std::move(begun.call);
        break;
    }
  }
  service.engine.ComputeGradient(stream.call().MakeContext(), *std::move(request),
                                 [&stream, first](const absl::StatusOr<GradientReply>& reply) {
                                   SendGradient(reply, stream, *first);
                                 });
}

}  // namespace

DiscrepancyServiceImpl::DiscrepancyServiceImpl(const ServiceContext& context) : service_(context) {}

grpc::ServerUnaryReactor* DiscrepancyServiceImpl::ComputeEnergyDistance(
    grpc::CallbackServerContext* context, const v1::ComputeEnergyDistanceRequest* request,
    v1::ComputeEnergyDistanceResponse* response) {
  return AnswerLater(service_.guard, energy_distance_, context,
                     [this, request, response](PendingUnary& pending) {
                       absl::StatusOr<EnergyDistanceRequest> wanted = FromProto(*request);
                       if (!wanted.ok()) return pending.Done(wanted.status());
                       service_.engine.ComputeEnergyDistance(
                           pending.call().MakeContext(), *std::move(wanted),
                           [&pending, response](const absl::StatusOr<EnergyDistanceReply>& reply) {
                             if (reply.ok()) ToProto(*reply, response);
                             pending.Done(reply.status());
                           });
                     });
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* DiscrepancyServiceImpl::ComputeGradient(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* request) {
  auto* stream = new ContentStream(service_.engine, service_.guard, gradient_, context);
  absl::Status status = stream->call().admission();
  if (status.ok()) {
    const absl::StatusOr<v1::ComputeGradientRequest> message =
        ParseRaw<v1::ComputeGradientRequest>(*request);
    status = message.status();
    if (status.ok()) RunGradient(service_, *message, *stream);
  }
  if (!status.ok()) stream->End(status);
  return stream;
}

}  // namespace riesz
