// A device with all that the engine keeps for it: backend, ledger, worker.
//
// Thread safety: thread-safe. Ownership: the engine owns it; it outlives everything made on it.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "core/backend/backend.h"
#include "core/engine/device_worker.h"
#include "core/engine/ledger.h"

namespace riesz {

class Device {
 public:
  // Told once, when the device is lost, of the error that said so.
  using LossObserver = std::function<void(const absl::Status& error)>;

  Device(std::unique_ptr<Backend> backend, int64_t memory_limit_bytes, DeviceWorker::Options worker,
         Ledger::Observer ledger_observer, LossObserver loss_observer)
      : backend_(std::move(backend)),
        report_(backend_->Report()),
        loss_observer_(std::move(loss_observer)),
        ledger_(memory_limit_bytes, std::move(ledger_observer)),
        worker_(std::move(worker)) {}

  Backend& backend() { return *backend_; }
  const BackendReport& report() const { return report_; }
  Ledger& ledger() { return ledger_; }
  const Ledger& ledger() const { return ledger_; }
  DeviceWorker& worker() { return worker_; }
  const DeviceWorker& worker() const { return worker_; }

  bool lost() const { return lost_.load(); }
  // Every error of the backend passes through here, without locks: a lost device stays lost.
  absl::Status Noted(absl::Status status);
  // UNAVAILABLE (DEVICE_LOST) once the device is lost.
  absl::Status CheckAlive() const;

 private:
  const std::unique_ptr<Backend> backend_;
  const BackendReport report_;
  const LossObserver loss_observer_;
  Ledger ledger_;
  std::atomic<bool> lost_{false};
  DeviceWorker worker_;  // last: its thread ends before the rest goes
};

}  // namespace riesz
