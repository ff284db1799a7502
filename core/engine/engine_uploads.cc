// Uploads: sessions that become ensembles.
#include <new>
#include <random>
#include <utility>
#include <vector>

#include "core/engine/engine_impl.h"
#include "core/error.h"
#include "core/status_macros.h"
#include "core/validate.h"

namespace riesz {
namespace {

// Random, so that an upload id from before a restart never names another upload.
std::string NewUploadId() {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::random_device device;
  std::string id = "u-";
  for (int word = 0; word < 2; ++word) {
    for (uint32_t bits = device(), i = 0; i < 8; ++i, bits >>= 4) id += kDigits[bits & 15];
  }
  return id;
}

// Room for one value a particle, beside the particles.
template <typename T>
absl::StatusOr<std::shared_ptr<std::vector<T>>> NewColumn(int64_t count, const char* what) {
  try {
    auto column = std::make_shared<std::vector<T>>();
    column->reserve(static_cast<size_t>(count));
    return column;
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("no memory for the " + std::to_string(count) + " " + what +
                                        " of an upload");
  }
}

}  // namespace

class EngineImpl::Writer : public UploadWriter {
 public:
  Writer(EngineImpl* engine, std::shared_ptr<UploadSession> session)
      : engine_(engine), session_(std::move(session)) {}
  ~Writer() override { session_->ReleaseWriter(); }

  absl::Status Write(int64_t offset, uint32_t crc32c,
                     std::span<const std::span<const std::byte>> pieces) override {
    if (engine_->drain_.draining()) return DrainState::Error();
    RIESZ_RETURN_IF_ERROR(engine_->device().CheckAlive());
    const EngineOptions& options = engine_->options_;
    RIESZ_RETURN_IF_ERROR(engine_->device().Noted(
        session_->Write(offset, crc32c, pieces, options.clock->Now() + options.upload_ttl,
                        options.wall_now() + options.upload_ttl)));
    if (options.metrics != nullptr) {
      int64_t size = 0;
      for (const auto& piece : pieces) size += static_cast<int64_t>(piece.size());
      options.metrics->Transferred("upload", size);
    }
    return absl::OkStatus();
  }
  UploadInfo info() const override { return session_->info(); }

 private:
  EngineImpl* const engine_;
  const std::shared_ptr<UploadSession> session_;
};

void EngineImpl::SweepUploads() {
  const Clock::Time now = options_.clock->Now();
  for (const std::shared_ptr<UploadSession>& session : uploads_.All()) {
    if (session->CloseIfExpired(now)) (void)uploads_.Erase(session->key());
  }
}

absl::StatusOr<UploadInfo> EngineImpl::StartUpload(const CallContext& context,
                                                   const UploadRequest& request) {
  RIESZ_RETURN_IF_ERROR(GuardDevice());
  RIESZ_RETURN_IF_ERROR(ValidateShape(request.count, request.dim, "upload"));
  RIESZ_ASSIGN_OR_RETURN(EnsembleStore::Claim claim, ClaimEnsemble(context, request.traits));
  const ResourceKey key{context.tenant, NewUploadId()};
  RIESZ_ASSIGN_OR_RETURN(auto upload_claim, uploads_.ClaimId(key));
  const int64_t bytes = UploadBytes(request);
  RIESZ_ASSIGN_OR_RETURN(
      Reservation memory,
      device().ledger().Reserve(bytes, "upload of ensemble '" + request.traits.id + "'"));
  auto buffer = device().backend().NewEnsemble(request.count, request.dim);
  if (!buffer.ok()) return device().Noted(buffer.status());
  UploadInfo info{.id = key.id,
                  .ensemble_id = request.traits.id,
                  .total_bytes = bytes,
                  .committed_bytes = 0,
                  .committed_crc32c = 0,
                  .expire_time = options_.wall_now() + options_.upload_ttl};
  UploadSession::Holdings held{.claim = std::move(claim),
                               .memory = std::move(memory),
                               .buffer = *std::move(buffer),
                               .weights = nullptr,
                               .labels = nullptr};
  if (request.has_weights) {
    RIESZ_ASSIGN_OR_RETURN(held.weights, NewColumn<float>(request.count, "weights"));
  }
  if (request.has_labels) {
    RIESZ_ASSIGN_OR_RETURN(held.labels, NewColumn<int32_t>(request.count, "labels"));
  }
  auto session = std::make_shared<UploadSession>(
      UploadSession::Parts{.key = key,
                           .request = request,
                           .info = info,
                           .expiry = options_.clock->Now() + options_.upload_ttl,
                           .held = std::move(held)});
  uploads_.Publish(std::move(upload_claim), std::move(session));
  return info;
}

absl::StatusOr<std::unique_ptr<UploadWriter>> EngineImpl::OpenUpload(const CallContext& context,
                                                                     const std::string& upload_id) {
  RIESZ_RETURN_IF_ERROR(GuardDevice());
  RIESZ_ASSIGN_OR_RETURN(auto session, uploads_.Find({context.tenant, upload_id}));
  RIESZ_RETURN_IF_ERROR(session->AcquireWriter());
  return std::make_unique<Writer>(this, std::move(session));
}

absl::StatusOr<UploadInfo> EngineImpl::QueryUpload(const CallContext& context,
                                                   const std::string& upload_id) {
  RIESZ_RETURN_IF_ERROR(Guard());
  RIESZ_ASSIGN_OR_RETURN(const auto session, uploads_.Find({context.tenant, upload_id}));
  return session->info();
}

absl::StatusOr<EnsembleInfo> EngineImpl::FinishUpload(const CallContext& context,
                                                      const std::string& upload_id,
                                                      uint32_t crc32c) {
  RIESZ_RETURN_IF_ERROR(GuardDevice());
  const ResourceKey key{context.tenant, upload_id};
  RIESZ_ASSIGN_OR_RETURN(const auto session, uploads_.Find(key));
  absl::StatusOr<UploadSession::Sealed> sealed = session->Seal(crc32c);
  if (sealed.ok() || session->closed()) (void)uploads_.Erase(key);
  if (!sealed.ok()) return device().Noted(sealed.status());
  sealed->ensemble.info.device = device().report().name;
  return ensembles_.Publish(std::move(sealed->claim), std::move(sealed->ensemble));
}

absl::Status EngineImpl::AbortUpload(const CallContext& context, const std::string& upload_id) {
  RIESZ_RETURN_IF_ERROR(Guard());
  RIESZ_ASSIGN_OR_RETURN(const auto session, uploads_.Erase({context.tenant, upload_id}));
  session->Close();
  return absl::OkStatus();
}

}  // namespace riesz
