// Computations: energy distances and gradients.
#include <utility>

#include "core/engine/compute_job.h"
#include "core/engine/engine_impl.h"
#include "core/error.h"

namespace riesz {
namespace {

// Submits a job; a refusal reaches its caller through the job.
void Start(Device& device, const std::shared_ptr<ComputeJob>& job) {
  absl::Status submitted = device.worker().Submit(job);
  if (!submitted.ok()) job->Refuse(std::move(submitted));
}

}  // namespace

void EngineImpl::ComputeEnergyDistance(const CallContext& context, EnergyDistanceRequest request,
                                       Callback<EnergyDistanceReply> done) {
  if (absl::Status status = GuardDevice(); !status.ok()) return done(std::move(status));
  absl::StatusOr<Operand> x = FindOperand(context, std::move(request.x), "x");
  if (!x.ok()) return done(x.status());
  absl::StatusOr<Operand> y = FindOperand(context, std::move(request.y), "y");
  if (!y.ok()) return done(y.status());
  Start(device(), std::make_shared<EnergyDistanceJob>(
                      ComputeJob::Setting{.device = &device(),
                                          .clock = options_.clock,
                                          .metrics = options_.metrics,
                                          .interruption = InterruptionOf(context),
                                          .x = *std::move(x),
                                          .y = *std::move(y)},
                      std::move(request), std::move(done)));
}

void EngineImpl::ComputeGradient(const CallContext& context, GradientRequest request,
                                 Callback<GradientReply> done) {
  if (absl::Status status = GuardDevice(); !status.ok()) return done(std::move(status));
  absl::StatusOr<Operand> x = FindOperand(context, std::move(request.x), "x");
  if (!x.ok()) return done(x.status());
  absl::StatusOr<Operand> y = FindOperand(context, std::move(request.y), "y");
  if (!y.ok()) return done(y.status());
  if (request.keep_as.has_value()) {
    absl::StatusOr<EnsembleStore::Claim> claim = ClaimEnsemble(context, *request.keep_as);
    if (!claim.ok()) return done(claim.status());
    done = KeepGradient(context, *std::move(request.keep_as), *std::move(claim), std::move(done));
  }
  Start(device(),
        std::make_shared<GradientJob>(ComputeJob::Setting{.device = &device(),
                                                          .clock = options_.clock,
                                                          .metrics = options_.metrics,
                                                          .interruption = InterruptionOf(context),
                                                          .x = *std::move(x),
                                                          .y = *std::move(y)},
                                      std::move(request), std::move(done)));
}

Callback<GradientReply> EngineImpl::KeepGradient(const CallContext& context, EnsembleTraits traits,
                                                 EnsembleStore::Claim claim,
                                                 Callback<GradientReply> done) {
  auto ensemble =
      std::make_shared<PendingEnsemble>(PendingEnsemble{.device = &device(),
                                                        .store = &ensembles_,
                                                        .interruption = InterruptionOf(context),
                                                        .claim = std::move(claim),
                                                        .traits = std::move(traits),
                                                        .done = nullptr});
  return [this, ensemble, done](absl::StatusOr<GradientReply> computed) {
    if (!computed.ok()) {
      ensemble->claim.Release();
      return done(std::move(computed));
    }
    auto reply = std::make_shared<GradientReply>(*std::move(computed));
    ensemble->done = [reply, done](absl::StatusOr<EnsembleInfo> kept) {
      if (!kept.ok()) {
        reply->gradient = nullptr;
        return done(kept.status());
      }
      reply->kept = *std::move(kept);
      done(std::move(*reply));
    };
    StartAdopt(std::make_shared<AdoptTask>(std::move(*ensemble), reply->gradient, "gradient"));
  };
}

}  // namespace riesz
