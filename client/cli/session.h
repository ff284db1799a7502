// One run of `riesz`: its options, its connection, and what has to be cleaned up at its end.
//
// Thread safety: one thread at a time, except Interrupt, which is for the thread that waits for
// signals.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/output.h"
#include "client/client.h"

namespace riesz::cli {

struct SessionOptions {
  std::string server = "127.0.0.1:7443";
  double timeout_s = 0;  // of each call; 0: none
  double connect_timeout_s = 5;
  bool wait_for_server = false;
  OutputOptions output;
};

class Session {
 public:
  // `options` may change until the first call of client().
  explicit Session(const SessionOptions& options) : options_(options), output_(options.output) {}
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Output& output() { return output_; }

  // Connects at the first call. UNAVAILABLE says how to name another server.
  absl::StatusOr<Client*> client();

  // A name for an ensemble that lives as long as this session.
  std::string NewTemporaryEnsemble();

  // The end: deletes the temporary ensembles, also after an interruption, and disconnects.
  void CleanUp();

  // A signal came: calls under way end with CANCELLED. False when there is nothing to wind down.
  bool Interrupt(int signal);
  // The signal, or 0.
  int interrupted() const { return interrupted_; }

 private:
  const SessionOptions& options_;
  Output output_;
  std::shared_ptr<grpc::Channel> channel_;
  std::vector<std::string> temporary_;

  std::atomic<int> interrupted_ = 0;
  std::mutex mutex_;  // keeps client_ alive through Interrupt
  std::unique_ptr<Client> client_;
};

}  // namespace riesz::cli
