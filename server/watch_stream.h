// WatchFlow: sends a flow's latest state, at most once per interval. States between are skipped, so
// a slow reader costs nothing but its own connection's buffer.
//
// Thread safety: gRPC's reactions, the engine's notifications and the alarm come from different
// threads; one mutex guards the state and Proceed() decides what is due.
// Ownership: deletes itself when gRPC is done with it. Notifications and alarms that come later
// find the link cut.
#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/support/server_callback.h>

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>

#include "core/engine/engine.h"
#include "riesz/v1/flow_service.pb.h"
#include "server/guard.h"

namespace riesz {

class WatchStream final : public grpc::ServerWriteReactor<v1::WatchFlowResponse> {
 public:
  WatchStream(Engine& engine, Guard& guard, const RpcMethod& method,
              grpc::CallbackServerContext* context, const v1::WatchFlowRequest& request);
  ~WatchStream() override;

 private:
  // What outlives the stream for the sake of those who may still call it.
  struct Link;

  absl::Status Start(Engine& engine, const v1::WatchFlowRequest& request);
  void OnWriteDone(bool ok) override;
  // Ends an idle stream too: there is nothing else that would.
  void OnCancel() override;
  void OnDone() override { delete this; }

  void Changed();
  // Writes, waits for the alarm, or finishes. Any thread; never waits for the network.
  void Proceed();
  void AlarmRang();
  // With mutex_ held: whether a message may go out now; sets the alarm where it is too early.
  bool MayWrite();
  // With mutex_ held: sends the latest state, or sets end_ where the flow is gone.
  void WriteLatest();

  Call call_;
  const std::shared_ptr<Link> link_;
  bool until_idle_ = false;
  std::chrono::milliseconds interval_{100};
  std::unique_ptr<FlowWatch> watch_;
  std::optional<std::stop_callback<std::function<void()>>> on_drain_;

  std::mutex mutex_;
  bool changed_ = true;  // since the last message; the first state is sent at once
  bool writing_ = false;
  bool alarm_set_ = false;
  bool finished_ = false;
  std::optional<absl::Status> end_;  // once set, the stream ends after the write in flight
  std::chrono::steady_clock::time_point next_write_{};
  v1::WatchFlowResponse message_;     // must live until OnWriteDone
  std::optional<grpc::Alarm> alarm_;  // a new one each time: one that rang is still in its callback
};

}  // namespace riesz
