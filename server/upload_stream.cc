#include "server/upload_stream.h"

#include "absl/strings/str_cat.h"
#include "core/error.h"
#include "core/status_macros.h"
#include "riesz/v1/ensemble_service.pb.h"
#include "server/chunk_frame.h"
#include "server/convert.h"
#include "server/raw_message.h"

namespace riesz {

UploadStream::UploadStream(Engine& engine, Guard& guard, const RpcMethod& method,
                           grpc::CallbackServerContext* context, grpc::ByteBuffer* response)
    : engine_(engine), call_(guard, method, context), response_(response) {
  if (call_.admission().ok()) {
    StartRead(&message_);
  } else {
    End(call_.admission());
  }
}

void UploadStream::OnReadDone(bool ok) {
  if (!ok) {
    // The client half-closed, or went away; what it sent is kept in either case.
    End(call_.cancelled() ? absl::CancelledError("the client went away") : FillResponse());
    return;
  }
  call_.CountReceived();
  if (absl::Status status = TakeMessage(); !status.ok()) {
    End(status);
    return;
  }
  StartRead(&message_);
}

absl::Status UploadStream::TakeMessage() {
  RIESZ_ASSIGN_OR_RETURN(const UploadFrame frame, ParseUploadFrame(message_));
  if (writer_ == nullptr) {
    if (frame.upload_id.empty()) {
      return InvalidField("upload_id", "set in the first message", "''");
    }
    RIESZ_ASSIGN_OR_RETURN(writer_, engine_.OpenUpload(call_.MakeContext(), frame.upload_id));
    upload_id_ = frame.upload_id;
  } else if (!frame.upload_id.empty() && frame.upload_id != upload_id_) {
    return InvalidField("upload_id", absl::StrCat("'", upload_id_, "' or empty in later messages"),
                        absl::StrCat("'", frame.upload_id, "'"));
  }
  if (frame.data_bytes == 0) return absl::OkStatus();
  return writer_->Write(frame.offset, frame.crc32c, frame.data);
}

absl::Status UploadStream::FillResponse() {
  if (writer_ == nullptr)
    return InvalidField("upload_id", "set in the first message", "no message");
  v1::UploadChunksResponse response;
  ToProto(writer_->info(), response.mutable_upload());
  *response_ = SerializeRaw(response);
  return absl::OkStatus();
}

void UploadStream::End(const absl::Status& status) {
  // Before the client hears of the end: its next stream must find the upload free.
  writer_.reset();
  if (status.ok()) call_.CountSent();
  Finish(call_.Finish(status));
}

}  // namespace riesz
