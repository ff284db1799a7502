#include "client/cli/session.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"

namespace riesz::cli {
namespace {

constexpr std::chrono::milliseconds kCleanUpTimeout{2000};

std::chrono::milliseconds Milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
}

}  // namespace

void Session::CleanUp() {
  if (!temporary_.empty()) {
    // A client of its own: the session's may have been cancelled.
    Client client(channel_, kCleanUpTimeout);
    for (const std::string& id : temporary_) {
      v1::DeleteEnsembleRequest request;
      request.set_id(id);
      client.DeleteEnsemble(request).status().IgnoreError();  // it expires by itself
    }
    temporary_.clear();
  }
  const std::lock_guard lock(mutex_);
  client_.reset();
  channel_.reset();
}

absl::StatusOr<Client*> Session::client() {
  if (client_ != nullptr) return client_.get();
  const absl::StatusOr<std::shared_ptr<grpc::Channel>> channel =
      Connect({.address = options_.server,
               .timeout = Milliseconds(options_.connect_timeout_s),
               .wait_for_server = options_.wait_for_server});
  if (!channel.ok()) {
    return absl::UnavailableError(absl::StrCat(std::string(channel.status().message()),
                                               "; is rieszd running? (--server, RIESZ_SERVER)"));
  }
  channel_ = *channel;
  const std::lock_guard lock(mutex_);
  client_ = std::make_unique<Client>(channel_, Milliseconds(options_.timeout_s));
  return client_.get();
}

std::string Session::NewTemporaryEnsemble() {
  return temporary_.emplace_back(absl::StrCat("tmp-", RandomId()));
}

bool Session::Interrupt(int signal) {
  const bool first = interrupted_.exchange(signal) == 0;
  const std::lock_guard lock(mutex_);
  if (!first || client_ == nullptr) return false;
  client_->Cancel();
  return true;
}

}  // namespace riesz::cli
