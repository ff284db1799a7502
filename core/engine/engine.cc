#include "core/engine/engine.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/engine/engine_impl.h"
#include "core/error.h"
#include "core/status_macros.h"

namespace riesz {
namespace {

constexpr double kDefaultMemoryShare = 0.8;

int64_t MemoryLimit(const EngineOptions& options, const BackendReport& report) {
  if (options.memory_limit_bytes > 0) return options.memory_limit_bytes;
  return static_cast<int64_t>(kDefaultMemoryShare * static_cast<double>(report.memory_bytes));
}

std::unique_ptr<Device> MakeDevice(
    const EngineOptions& options, std::unique_ptr<Backend> backend,
    std::function<void(const std::string&, const absl::Status&)> lost) {
  const BackendReport report = backend->Report();
  Ledger::Observer observer;
  if (options.metrics != nullptr) {
    observer = [metrics = options.metrics, name = report.name](int64_t used, int64_t limit) {
      metrics->LedgerChanged(name, used, limit);
    };
    options.metrics->DeviceUp(report.name, true);
  }
  return std::make_unique<Device>(
      std::move(backend), MemoryLimit(options, report),
      DeviceWorker::Options{.device = report.name,
                            .clock = options.clock,
                            .quantum = options.quantum,
                            .max_jobs = options.max_queued_jobs,
                            .metrics = options.metrics},
      std::move(observer), [lost = std::move(lost), name = report.name](const absl::Status& error) {
        lost(name, error);
      });
}

std::function<void(int64_t)> CountOf(const EngineOptions& options, const char* kind) {
  if (options.metrics == nullptr) return nullptr;
  return [metrics = options.metrics, kind](int64_t count) { metrics->Resources(kind, count); };
}

absl::Status CheckOption(const char* name, int64_t value, int64_t least) {
  if (value >= least) return absl::OkStatus();
  return InvalidField(name, ">= " + std::to_string(least), std::to_string(value));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> Engine::Create(
    EngineOptions options, std::vector<std::unique_ptr<Backend>> backends) {
  if (backends.empty()) return InvalidField("backends", "at least one", "none");
  if (options.clock == nullptr) return InvalidField("options.clock", "set", "null");
  RIESZ_RETURN_IF_ERROR(CheckOption("options.memory_limit_bytes", options.memory_limit_bytes, 0));
  RIESZ_RETURN_IF_ERROR(CheckOption("options.quantum", options.quantum.count(), 1));
  RIESZ_RETURN_IF_ERROR(CheckOption("options.max_queued_jobs", options.max_queued_jobs, 1));
  RIESZ_RETURN_IF_ERROR(CheckOption("options.io_threads", options.io_threads, 1));
  RIESZ_RETURN_IF_ERROR(CheckOption("options.max_io_tasks", options.max_io_tasks, 1));
  return std::make_unique<EngineImpl>(std::move(options), std::move(backends));
}

EngineImpl::EngineImpl(EngineOptions options, std::vector<std::unique_ptr<Backend>> backends)
    : options_(std::move(options)),
      ensembles_(options_.max_ensembles, options_.wall_now, CountOf(options_, "ensembles")),
      uploads_("upload", options_.max_uploads, CountOf(options_, "uploads")),
      flows_("flow", options_.max_flows, CountOf(options_, "flows")),
      data_sets_(options_.data_dir),
      notifier_(1, std::numeric_limits<int64_t>::max()),
      io_(options_.io_threads, options_.max_io_tasks) {
  for (auto& backend : backends) {
    devices_.push_back(MakeDevice(
        options_, std::move(backend),
        [this](const std::string& name, const absl::Status& error) { DeviceLost(name, error); }));
  }
  device().ledger().set_reclaimer([this] { data_sets_.Clear(); });
}

EngineImpl::~EngineImpl() {
  Drain(options_.clock->Now());
  for (const std::shared_ptr<Flow>& flow : flows_.All()) flow->Destroy();
}

absl::Status EngineImpl::Guard() {
  if (drain_.draining()) return DrainState::Error();
  ensembles_.Sweep();
  SweepUploads();
  return absl::OkStatus();
}

absl::Status EngineImpl::GuardDevice() {
  RIESZ_RETURN_IF_ERROR(Guard());
  return device().CheckAlive();
}

void EngineImpl::DeviceLost(const std::string& name, const absl::Status& error) {
  if (options_.metrics != nullptr) options_.metrics->DeviceUp(name, false);
  if (options_.on_device_lost == nullptr) return;
  const auto left = std::count_if(devices_.begin(), devices_.end(),
                                  [](const auto& device) { return !device->lost(); });
  options_.on_device_lost(name, error, left);
}

Interruption EngineImpl::InterruptionOf(const CallContext& context) const {
  return Interruption(context, *options_.clock, drain_);
}

absl::StatusOr<Operand> EngineImpl::FindOperand(const CallContext& context, ParticlesRef ref,
                                                const std::string& field) {
  return Operand::Find(ensembles_, flows_, context.tenant, std::move(ref), field,
                       options_.max_inline_bytes);
}

void EngineImpl::RunOnWorker(const CallContext& context, std::function<void(absl::Status)> body) {
  auto shared = std::make_shared<std::function<void(absl::Status)>>(std::move(body));
  absl::Status submitted = device().worker().Submit(
      std::make_shared<TaskJob>(InterruptionOf(context), [this, shared](absl::Status status) {
        if (status.ok()) status = device().CheckAlive();
        (*shared)(std::move(status));
      }));
  if (!submitted.ok()) (*shared)(std::move(submitted));
}

std::vector<DeviceInfo> EngineImpl::Devices() const {
  std::vector<DeviceInfo> devices;
  for (const auto& device : devices_) {
    devices.push_back({.report = device->report(),
                       .memory_limit_bytes = device->ledger().limit_bytes(),
                       .memory_used_bytes = device->ledger().used_bytes(),
                       .queue_depth = device->worker().queue_depth(),
                       .lost = device->lost()});
  }
  return devices;
}

void EngineImpl::DataSets(const CallContext& context, Callback<std::vector<std::string>> done) {
  if (absl::Status status = Guard(); !status.ok()) return done(std::move(status));
  if (options_.data_dir.empty()) return done(std::vector<std::string>());
  absl::Status submitted = io_.Submit([this, done, interruption = InterruptionOf(context)] {
    if (interruption.Due()) {
      done(interruption.Explain(0, 0));
    } else {
      done(ListDatasets(options_.data_dir));
    }
    return true;
  });
  if (!submitted.ok()) done(std::move(submitted));
}

void EngineImpl::Drain(Clock::Time deadline) {
  drain_.Begin(deadline);
  // Their answers come to rest with the flows; a flow that slips in now sees the drain itself.
  for (const std::shared_ptr<Flow>& flow : flows_.All()) {
    flow->Cancel([](const absl::StatusOr<FlowInfo>&) {});
  }
  // Jobs may still hand results to the I/O executor, never the other way round.
  for (const auto& device : devices_) device->worker().Close();
  io_.Close();
}

}  // namespace riesz
