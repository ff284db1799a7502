// Ensembles: creation, lookup, deletion, reading back.
#include <utility>

#include "core/engine/engine_impl.h"
#include "core/engine/outcome.h"
#include "core/engine/particle_bytes.h"
#include "core/error.h"
#include "core/status_macros.h"

namespace riesz {
namespace {

constexpr size_t kMaxMetadataEntries = 64;
constexpr size_t kMaxMetadataBytes = 256;

absl::Status CheckMetadata(const std::map<std::string, std::string>& metadata) {
  if (metadata.size() > kMaxMetadataEntries) {
    return InvalidField("metadata", "at most 64 entries",
                        std::to_string(metadata.size()) + " entries");
  }
  for (const auto& [key, value] : metadata) {
    if (key.size() > kMaxMetadataBytes || value.size() > kMaxMetadataBytes) {
      return InvalidField("metadata", "of keys and values of at most 256 bytes",
                          std::to_string(std::max(key.size(), value.size())) + " bytes");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<EnsembleStore::Claim> EngineImpl::ClaimEnsemble(const CallContext& context,
                                                               const EnsembleTraits& traits) {
  RIESZ_RETURN_IF_ERROR(ValidateResourceId(traits.id, "id"));
  RIESZ_RETURN_IF_ERROR(CheckMetadata(traits.metadata));
  if (traits.expire_time.has_value() && *traits.expire_time <= options_.wall_now()) {
    return InvalidField("expire_time", "in the future", "a time that has passed");
  }
  return ensembles_.ClaimId({context.tenant, traits.id});
}

void EngineImpl::StartFill(std::shared_ptr<FillTask> task) {
  absl::Status submitted = io_.Submit([task] { return task->RunTile(); });
  if (!submitted.ok()) task->Refuse(std::move(submitted));
}

void EngineImpl::StartAdopt(std::shared_ptr<AdoptTask> task) {
  absl::Status submitted = io_.Submit([task] { return task->RunTile(); });
  if (!submitted.ok()) task->Refuse(std::move(submitted));
}

void EngineImpl::CreateEnsemble(const CallContext& context, EnsembleTraits traits,
                                EnsembleSource source, Callback<EnsembleInfo> done) {
  if (absl::Status status = GuardDevice(); !status.ok()) return done(std::move(status));
  absl::StatusOr<EnsembleStore::Claim> claim = ClaimEnsemble(context, traits);
  if (!claim.ok()) return done(claim.status());
  if (auto* ref = std::get_if<ParticlesRef>(&source)) {
    return CopyOf(context, std::move(traits), std::move(*ref), *std::move(claim), std::move(done));
  }
  PendingEnsemble ensemble{.device = &device(),
                           .store = &ensembles_,
                           .interruption = InterruptionOf(context),
                           .claim = *std::move(claim),
                           .traits = std::move(traits),
                           .done = std::move(done)};
  FillTask::MakeRows make_rows;
  if (auto* generator = std::get_if<GeneratorSource>(&source)) {
    make_rows = [generator = *generator](const Interruption&) { return GeneratorRows(generator); };
  } else {
    make_rows = [this, data_set = std::get<DataSetSource>(std::move(source))](
                    const Interruption& interruption) {
      return DataSetRows(data_sets_, data_set, device().ledger(), interruption);
    };
  }
  StartFill(std::make_shared<FillTask>(std::move(ensemble), std::move(make_rows)));
}

void EngineImpl::CopyOf(const CallContext& context, EnsembleTraits traits, ParticlesRef ref,
                        EnsembleStore::Claim claim, Callback<EnsembleInfo> done) {
  absl::StatusOr<Operand> operand = FindOperand(context, std::move(ref), "copy_of");
  if (!operand.ok()) {
    claim.Release();
    return done(operand.status());
  }
  if (operand->stored() != nullptr) {
    // Content never changes, so a copy shares it.
    StoredEnsemble copy = *operand->stored();
    if (!traits.sample_shape.has_value()) traits.sample_shape = copy.info.traits.sample_shape;
    if (!traits.value_scaling.has_value()) traits.value_scaling = copy.info.traits.value_scaling;
    copy.info.traits = std::move(traits);
    copy.info.source = operand->description();
    return done(ensembles_.Publish(std::move(claim), std::move(copy)));
  }
  auto task = std::make_shared<std::pair<Operand, PendingEnsemble>>(
      *std::move(operand), PendingEnsemble{.device = &device(),
                                           .store = &ensembles_,
                                           .interruption = InterruptionOf(context),
                                           .claim = std::move(claim),
                                           .traits = std::move(traits),
                                           .done = std::move(done)});
  RunOnWorker(context, [this, task](const absl::Status& status) {
    auto& [from, ensemble] = *task;
    absl::StatusOr<ResolvedParticles> particles =
        status.ok() ? from.Materialize(device()) : absl::StatusOr<ResolvedParticles>(status);
    if (!particles.ok()) {
      ensemble.claim.Release();
      return ensemble.done(particles.status());
    }
    if (!ensemble.traits.sample_shape.has_value()) {
      ensemble.traits.sample_shape = particles->sample_shape;
    }
    StartAdopt(std::make_shared<AdoptTask>(std::move(ensemble), std::move(particles->particles),
                                           from.description()));
  });
}

absl::StatusOr<EnsembleInfo> EngineImpl::GetEnsemble(const CallContext& context,
                                                     const std::string& id) {
  RIESZ_RETURN_IF_ERROR(Guard());
  RIESZ_ASSIGN_OR_RETURN(const auto ensemble, ensembles_.Find({context.tenant, id}));
  return ensemble->info;
}

absl::StatusOr<Page<EnsembleInfo>> EngineImpl::ListEnsembles(const CallContext& context,
                                                             const PageRequest& page) {
  RIESZ_RETURN_IF_ERROR(Guard());
  return ensembles_.List(context.tenant, page);
}

absl::Status EngineImpl::DeleteEnsemble(const CallContext& context, const std::string& id) {
  RIESZ_RETURN_IF_ERROR(Guard());
  return ensembles_.Delete({context.tenant, id});
}

void EngineImpl::Resolve(const CallContext& context, ParticlesRef ref,
                         Callback<ResolvedParticles> done) {
  if (absl::Status status = GuardDevice(); !status.ok()) return done(std::move(status));
  absl::StatusOr<Operand> operand = FindOperand(context, std::move(ref), "source");
  if (!operand.ok()) return done(operand.status());
  if (operand->stored() != nullptr) return done(operand->Materialize(device()));
  auto shared = std::make_shared<Operand>(*std::move(operand));
  RunOnWorker(context, [this, shared, done](absl::Status status) {
    if (!status.ok()) return done(std::move(status));
    absl::StatusOr<ResolvedParticles> particles = shared->Materialize(device());
    *shared = Operand();
    done(std::move(particles));
  });
}

absl::Status EngineImpl::ReadBytes(const DeviceEnsemble& particles, int64_t offset,
                                   std::span<std::byte> out) {
  RIESZ_RETURN_IF_ERROR(device().CheckAlive());
  RIESZ_RETURN_IF_ERROR(
      device().Noted(ReadParticleBytes(device().backend(), particles, offset, out)));
  if (options_.metrics != nullptr) {
    options_.metrics->Transferred("download", static_cast<int64_t>(out.size()));
  }
  return absl::OkStatus();
}

}  // namespace riesz
