// The engine behind engine.h: it guards each call (drain, ids, names), turns it into a job of a
// device's worker or a task of the I/O executor, and holds the tables of resources. It computes
// nothing itself.
//
// All resources live on the first device.
//
// Thread safety: thread-safe. Its own state are the tables, each with its own lock; no call holds
// two of them but ensembles -> table (see EnsembleStore).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/engine/device.h"
#include "core/engine/engine.h"
#include "core/engine/ensemble_store.h"
#include "core/engine/ensemble_tasks.h"
#include "core/engine/flow.h"
#include "core/engine/interruption.h"
#include "core/engine/io_executor.h"
#include "core/engine/operand.h"
#include "core/engine/row_source.h"
#include "core/engine/upload_session.h"

namespace riesz {

class EngineImpl : public Engine {
 public:
  EngineImpl(EngineOptions options, std::vector<std::unique_ptr<Backend>> backends);
  ~EngineImpl() override;

  void CreateEnsemble(const CallContext& context, EnsembleTraits traits, EnsembleSource source,
                      Callback<EnsembleInfo> done) override;
  absl::StatusOr<UploadInfo> StartUpload(const CallContext& context,
                                         const UploadRequest& request) override;
  absl::StatusOr<std::unique_ptr<UploadWriter>> OpenUpload(const CallContext& context,
                                                           const std::string& upload_id) override;
  absl::StatusOr<UploadInfo> QueryUpload(const CallContext& context,
                                         const std::string& upload_id) override;
  absl::StatusOr<EnsembleInfo> FinishUpload(const CallContext& context,
                                            const std::string& upload_id, uint32_t crc32c) override;
  absl::Status AbortUpload(const CallContext& context, const std::string& upload_id) override;
  absl::StatusOr<EnsembleInfo> GetEnsemble(const CallContext& context,
                                           const std::string& id) override;
  absl::StatusOr<Page<EnsembleInfo>> ListEnsembles(const CallContext& context,
                                                   const PageRequest& page) override;
  absl::Status DeleteEnsemble(const CallContext& context, const std::string& id) override;
  void Resolve(const CallContext& context, ParticlesRef ref,
               Callback<ResolvedParticles> done) override;
  absl::Status ReadBytes(const DeviceEnsemble& particles, int64_t offset,
                         std::span<std::byte> out) override;

  void ComputeEnergyDistance(const CallContext& context, EnergyDistanceRequest request,
                             Callback<EnergyDistanceReply> done) override;
  void ComputeGradient(const CallContext& context, GradientRequest request,
                       Callback<GradientReply> done) override;

  void CreateFlow(const CallContext& context, NewFlowRequest request,
                  Callback<FlowInfo> done) override;
  absl::StatusOr<FlowInfo> AdvanceFlow(const CallContext& context, const std::string& id,
                                       int64_t target_step) override;
  void CancelFlow(const CallContext& context, const std::string& id,
                  Callback<FlowInfo> done) override;
  void ResetFlow(const CallContext& context, const std::string& id,
                 Callback<FlowInfo> done) override;
  void ForkFlow(const CallContext& context, ForkFlowRequest request,
                Callback<FlowInfo> done) override;
  void SnapshotFlow(const CallContext& context, const std::string& flow_id, EnsembleTraits traits,
                    Callback<FlowSnapshot> done) override;
  absl::StatusOr<FlowInfo> GetFlow(const CallContext& context, const std::string& id) override;
  absl::StatusOr<Page<FlowInfo>> ListFlows(const CallContext& context,
                                           const PageRequest& page) override;
  void DeleteFlow(const CallContext& context, const std::string& id,
                  Callback<std::monostate> done) override;
  absl::StatusOr<std::unique_ptr<FlowWatch>> WatchFlow(const CallContext& context,
                                                       const std::string& id,
                                                       std::function<void()> on_change) override;

  std::vector<DeviceInfo> Devices() const override;
  void DataSets(const CallContext& context, Callback<std::vector<std::string>> done) override;
  const EngineOptions& options() const override { return options_; }
  void Drain(Clock::Time deadline) override;

 private:
  class Writer;

  // The head of every call: UNAVAILABLE while draining. Drops what has expired.
  absl::Status Guard();
  // Guard for calls that need the device: UNAVAILABLE also once it is lost.
  absl::Status GuardDevice();
  void DeviceLost(const std::string& name, const absl::Status& error);
  void SweepUploads();
  Device& device() { return *devices_.front(); }
  Interruption InterruptionOf(const CallContext& context) const;
  absl::StatusOr<Operand> FindOperand(const CallContext& context, ParticlesRef ref,
                                      const std::string& field);
  absl::StatusOr<EnsembleStore::Claim> ClaimEnsemble(const CallContext& context,
                                                     const EnsembleTraits& traits);
  // Runs `body` on the worker; a refusal or the device's loss reaches it as its status.
  void RunOnWorker(const CallContext& context, std::function<void(absl::Status)> body);
  // Hands a task to the I/O executor.
  void StartFill(std::shared_ptr<FillTask> task);
  void StartAdopt(std::shared_ptr<AdoptTask> task);
  void CopyOf(const CallContext& context, EnsembleTraits traits, ParticlesRef ref,
              EnsembleStore::Claim claim, Callback<EnsembleInfo> done);
  // (worker) The makers of flows; what they take is gone only on success.
  absl::StatusOr<FlowInfo> MakeFlow(const NewFlowRequest& request, Operand& start,
                                    EnsembleUse& target, FlowTable::Claim& claim);
  absl::StatusOr<FlowInfo> MakeFork(const ForkFlowRequest& request, Flow& source,
                                    EnsembleUse& target, FlowTable::Claim& claim);
  // `state`: to go on from; null: from `start` at rest.
  absl::StatusOr<FlowInfo> AddFlow(FlowInfo info, std::shared_ptr<const DeviceEnsemble> start,
                                   const FlowState* state, EnsembleUse& target,
                                   FlowTable::Claim& claim);
  void ReportComputed(std::string_view operation, const absl::Status& status, Clock::Time submitted,
                      Clock::Time begin);
  Flow::Environment FlowEnvironment();
  Callback<GradientReply> KeepGradient(const CallContext& context, EnsembleTraits traits,
                                       EnsembleStore::Claim claim, Callback<GradientReply> done);

  const EngineOptions options_;
  DrainState drain_;
  // Destroyed in reverse order: executors and workers first, then what their work refers to.
  std::vector<std::unique_ptr<Device>> devices_;
  EnsembleStore ensembles_;
  ResourceTable<UploadSession> uploads_;
  FlowTable flows_;
  DataSetCache data_sets_;
  IoExecutor notifier_;  // its tasks are bounded by one a watch
  IoExecutor io_;
};

}  // namespace riesz
