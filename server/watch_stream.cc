#include "server/watch_stream.h"

#include <utility>

#include "core/error.h"
#include "core/status_macros.h"
#include "server/convert.h"

namespace riesz {

struct WatchStream::Link {
  std::mutex mutex;
  WatchStream* stream = nullptr;  // null once the stream is gone

  template <typename Reaction>
  void Call(Reaction reaction) {
    const std::lock_guard lock(mutex);
    if (stream != nullptr) (stream->*reaction)();
  }
};

WatchStream::WatchStream(Engine& engine, Guard& guard, const RpcMethod& method,
                         grpc::CallbackServerContext* context, const v1::WatchFlowRequest& request)
    : call_(guard, method, context), link_(std::make_shared<Link>()) {
  call_.CountReceived();
  link_->stream = this;
  absl::Status status = call_.admission();
  if (status.ok()) status = Start(engine, request);
  if (!status.ok()) {
    const std::lock_guard lock(mutex_);
    end_ = status;
  }
  Proceed();
}

WatchStream::~WatchStream() {
  // Waits for a notification that is under way; later ones find nothing.
  const std::lock_guard lock(link_->mutex);
  link_->stream = nullptr;
}

absl::Status WatchStream::Start(Engine& engine, const v1::WatchFlowRequest& request) {
  RIESZ_RETURN_IF_ERROR(CheckId("id", request.id()));
  RIESZ_ASSIGN_OR_RETURN(interval_, WatchInterval(request));
  until_idle_ = request.until_idle();
  RIESZ_ASSIGN_OR_RETURN(auto watch,
                         engine.WatchFlow(call_.MakeContext(), request.id(),
                                          [link = link_] { link->Call(&WatchStream::Changed); }));
  {
    const std::lock_guard lock(mutex_);
    watch_ = std::move(watch);
  }
  // Without the lock: where the server drains already, this calls back before it returns.
  on_drain_.emplace(call_.guard().streams_should_end(),
                    [link = link_] { link->Call(&WatchStream::Proceed); });
  return absl::OkStatus();
}

void WatchStream::Changed() {
  {
    const std::lock_guard lock(mutex_);
    changed_ = true;
  }
  Proceed();
}

void WatchStream::AlarmRang() {
  {
    const std::lock_guard lock(mutex_);
    alarm_set_ = false;
  }
  Proceed();
}

void WatchStream::OnWriteDone(bool ok) {
  {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    if (ok) {
      call_.CountSent();
    } else {
      end_ = absl::CancelledError("the client went away");
    }
  }
  Proceed();
}

void WatchStream::OnCancel() {
  call_.Cancel();
  Proceed();
}

bool WatchStream::MayWrite() {
  const auto now = std::chrono::steady_clock::now();
  if (now >= next_write_) return true;
  if (!alarm_set_) {
    alarm_set_ = true;
    alarm_.emplace();
    alarm_->Set(
        std::chrono::system_clock::now() +
            std::chrono::duration_cast<std::chrono::system_clock::duration>(next_write_ - now),
        [link = link_](bool) { link->Call(&WatchStream::AlarmRang); });
  }
  return false;
}

void WatchStream::WriteLatest() {
  changed_ = false;
  const absl::StatusOr<FlowInfo> info = watch_->Latest();
  if (!info.ok()) {
    end_ = info.status();
    return;
  }
  message_.Clear();
  ToProto(*info, message_.mutable_flow());
  const bool idle = info->phase == FlowPhase::kReady || info->phase == FlowPhase::kFailed;
  if (until_idle_ && idle) end_ = absl::OkStatus();
  writing_ = true;
  next_write_ = std::chrono::steady_clock::now() + interval_;
  StartWrite(&message_);
}

void WatchStream::Proceed() {
  const std::lock_guard lock(mutex_);
  if (finished_ || writing_) return;
  if (!end_ && call_.cancelled()) end_ = absl::CancelledError("the client went away");
  if (!end_ && call_.guard().streams_should_end().stop_requested()) {
    end_ = WithDetail(absl::UnavailableError("the server is draining; watch elsewhere"),
                      {ErrorReason::kDraining, {}});
  }
  if (!end_ && changed_ && watch_ != nullptr && MayWrite()) WriteLatest();
  if (!end_ || writing_) return;
  finished_ = true;
  // The stream may be deleted any time after this, but not before this thread has left: gRPC waits
  // for its own reactions, the destructor for everybody who came by the link.
  Finish(call_.Finish(*end_));
}

}  // namespace riesz
