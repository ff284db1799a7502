// The application without a network: ensembles, uploads, computations and flows of all tenants.
//
// Every call is asynchronous or returns at once: device workers compute, a bounded I/O executor
// reads files, generates and copies; the caller's thread does neither. Resources are keyed by
// (tenant, id).
//
// Thread safety: every method is thread-safe. Callbacks and watchers run on engine threads without
// any engine lock held.
//
// Ownership: the engine owns backends, workers and every resource. Handles it gives out (particles,
// writers, watches) keep what they need alive; they must be dropped before the engine.
//
// Errors everywhere: INVALID_ARGUMENT with field, value and range; NOT_FOUND; ALREADY_EXISTS;
// RESOURCE_EXHAUSTED when ledger or queue are full; UNAVAILABLE while draining and, for whatever
// needs the device, once it is lost; CANCELLED and DEADLINE_EXCEEDED from the CallContext, with the
// chunks done.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/backend/backend.h"
#include "core/engine/metrics_sink.h"
#include "core/engine/requests.h"

namespace riesz {

struct EngineOptions {
  int64_t memory_limit_bytes =
      0;  // of ensembles, flows, uploads, data sets and scratch; 0: 80 % of the device
  std::chrono::milliseconds quantum{50};
  int64_t max_queued_jobs = 256;   // per device
  int64_t max_ensembles = 10'000;  // per tenant
  int64_t max_flows = 1'000;       // per tenant
  int64_t max_uploads = 64;        // per tenant
  int64_t max_inline_bytes = 1 << 20;
  std::chrono::seconds upload_ttl{600};
  int io_threads = 1;
  int64_t max_io_tasks = 256;
  std::string data_dir;  // data sets by name; empty: none
  const Clock* clock = &SteadyClock();
  // For times that users see and for expire_time; a test's may move by hand.
  std::function<WallTime()> wall_now = &std::chrono::system_clock::now;
  MetricsSink* metrics = nullptr;  // borrowed; may be null
  // Told once of every device that is lost, with the error that said so and the number of devices
  // left, by the thread that met the error, without engine locks. Must not block.
  std::function<void(const std::string& device, const absl::Status& error, int64_t devices_left)>
      on_device_lost;
};

// One upload's exclusive writer. Dropping it lets another stream go on.
class UploadWriter {
 public:
  virtual ~UploadWriter() = default;
  // Appends one chunk given as pieces: copies and checksums in one pass, then checks finiteness
  // unless allowed. Nothing is committed on error. OUT_OF_RANGE, DATA_LOSS, INVALID_ARGUMENT.
  virtual absl::Status Write(int64_t offset, uint32_t crc32c,
                             std::span<const std::span<const std::byte>> pieces) = 0;
  virtual UploadInfo info() const = 0;
};

// A reader of one flow's latest state. Dropping it ends the notifications.
class FlowWatch {
 public:
  virtual ~FlowWatch() = default;
  // The state now; NOT_FOUND once the flow is deleted.
  virtual absl::StatusOr<FlowInfo> Latest() = 0;
};

class Engine {
 public:
  // At least one backend, the default first.
  static absl::StatusOr<std::unique_ptr<Engine>> Create(
      EngineOptions options, std::vector<std::unique_ptr<Backend>> backends);
  virtual ~Engine() = default;

  // --- ensembles ---
  virtual void CreateEnsemble(const CallContext& context, EnsembleTraits traits,
                              EnsembleSource source, Callback<EnsembleInfo> done) = 0;
  virtual absl::StatusOr<UploadInfo> StartUpload(const CallContext& context,
                                                 const UploadRequest& request) = 0;
  // ABORTED while another writer is open.
  virtual absl::StatusOr<std::unique_ptr<UploadWriter>> OpenUpload(
      const CallContext& context, const std::string& upload_id) = 0;
  virtual absl::StatusOr<UploadInfo> QueryUpload(const CallContext& context,
                                                 const std::string& upload_id) = 0;
  // FAILED_PRECONDITION when bytes are missing; DATA_LOSS when the checksum differs.
  virtual absl::StatusOr<EnsembleInfo> FinishUpload(const CallContext& context,
                                                    const std::string& upload_id,
                                                    uint32_t crc32c) = 0;
  virtual absl::Status AbortUpload(const CallContext& context, const std::string& upload_id) = 0;
  virtual absl::StatusOr<EnsembleInfo> GetEnsemble(const CallContext& context,
                                                   const std::string& id) = 0;
  virtual absl::StatusOr<Page<EnsembleInfo>> ListEnsembles(const CallContext& context,
                                                           const PageRequest& page) = 0;
  virtual absl::Status DeleteEnsemble(const CallContext& context, const std::string& id) = 0;
  // Makes an operand concrete for reading; a flow's particles are copied at a step boundary.
  virtual void Resolve(const CallContext& context, ParticlesRef ref,
                       Callback<ResolvedParticles> done) = 0;
  // Copies bytes [offset, offset + out.size()) of the particles to the host.
  virtual absl::Status ReadBytes(const DeviceEnsemble& particles, int64_t offset,
                                 std::span<std::byte> out) = 0;

  // --- computations ---
  virtual void ComputeEnergyDistance(const CallContext& context, EnergyDistanceRequest request,
                                     Callback<EnergyDistanceReply> done) = 0;
  virtual void ComputeGradient(const CallContext& context, GradientRequest request,
                               Callback<GradientReply> done) = 0;

  // --- flows ---
  virtual void CreateFlow(const CallContext& context, NewFlowRequest request,
                          Callback<FlowInfo> done) = 0;
  virtual absl::StatusOr<FlowInfo> AdvanceFlow(const CallContext& context, const std::string& id,
                                               int64_t target_step) = 0;
  // Answers once the flow rests at a step boundary.
  virtual void CancelFlow(const CallContext& context, const std::string& id,
                          Callback<FlowInfo> done) = 0;
  virtual void ResetFlow(const CallContext& context, const std::string& id,
                         Callback<FlowInfo> done) = 0;
  virtual void ForkFlow(const CallContext& context, ForkFlowRequest request,
                        Callback<FlowInfo> done) = 0;
  struct FlowSnapshot {
    EnsembleInfo ensemble;
    int64_t step = 0;
  };
  virtual void SnapshotFlow(const CallContext& context, const std::string& flow_id,
                            EnsembleTraits traits, Callback<FlowSnapshot> done) = 0;
  virtual absl::StatusOr<FlowInfo> GetFlow(const CallContext& context, const std::string& id) = 0;
  virtual absl::StatusOr<Page<FlowInfo>> ListFlows(const CallContext& context,
                                                   const PageRequest& page) = 0;
  virtual void DeleteFlow(const CallContext& context, const std::string& id,
                          Callback<std::monostate> done) = 0;
  // `on_change` runs on an I/O thread after a change, and then not again until Latest() was called.
  virtual absl::StatusOr<std::unique_ptr<FlowWatch>> WatchFlow(const CallContext& context,
                                                               const std::string& id,
                                                               std::function<void()> on_change) = 0;

  // --- the engine itself ---
  virtual std::vector<DeviceInfo> Devices() const = 0;
  // Names of the data sets that can be read now, sorted. Looked up on an I/O thread, behind what
  // waits there.
  virtual void DataSets(const CallContext& context, Callback<std::vector<std::string>> done) = 0;
  virtual const EngineOptions& options() const = 0;
  // Refuses new work (UNAVAILABLE), lets computations finish until `deadline`, stops flows at a
  // step boundary, and returns when every worker is at rest. Idempotent.
  virtual void Drain(Clock::Time deadline) = 0;
};

}  // namespace riesz
