#include "core/engine/ensemble_tasks.h"

#include <algorithm>
#include <utility>

#include "core/crc32c.h"
#include "core/engine/particle_bytes.h"
#include "core/status_macros.h"
#include "core/validate.h"

namespace riesz {
namespace {

// Ends a task: everything it held is free before its caller hears of it.
void Refuse(PendingEnsemble& ensemble, absl::Status status) {
  ensemble.claim.Release();
  std::exchange(ensemble.done, nullptr)(ensemble.device->Noted(std::move(status)));
}

void Publish(PendingEnsemble& ensemble, StoredEnsemble stored) {
  stored.info.device = ensemble.device->report().name;
  EnsembleInfo info = ensemble.store->Publish(std::move(ensemble.claim), std::move(stored));
  std::exchange(ensemble.done, nullptr)(std::move(info));
}

}  // namespace

void FillTask::Refuse(absl::Status status) {
  buffer_ = nullptr;
  memory_.Release();
  rows_.reset();
  riesz::Refuse(ensemble_, std::move(status));
}

int64_t FillTask::RowsPerTile() const {
  return std::max<int64_t>(kTileBytes / (rows_->dim * 4), 1);
}

int64_t FillTask::Tiles(int64_t rows) const { return (rows + RowsPerTile() - 1) / RowsPerTile(); }

bool FillTask::RunTile() {
  if (ensemble_.interruption.Due()) {
    const int64_t planned = rows_.has_value() ? Tiles(rows_->count) : 0;
    Refuse(ensemble_.interruption.Explain(planned == 0 ? 0 : Tiles(rows_done_), planned));
    return true;
  }
  absl::Status status = ensemble_.device->CheckAlive();
  if (status.ok()) status = buffer_ == nullptr ? Begin() : FillRows();
  if (!status.ok()) {
    Refuse(std::move(status));
    return true;
  }
  if (rows_done_ < rows_->count) return false;
  absl::StatusOr<StoredEnsemble> stored = Seal();
  if (!stored.ok()) {
    Refuse(stored.status());
  } else {
    rows_.reset();
    Publish(ensemble_, *std::move(stored));
  }
  return true;
}

absl::Status FillTask::Begin() {
  RIESZ_ASSIGN_OR_RETURN(rows_, make_rows_(ensemble_.interruption));
  RIESZ_RETURN_IF_ERROR(ValidateShape(rows_->count, rows_->dim, "ensemble"));
  const int64_t bytes =
      rows_->count * rows_->dim * 4 + static_cast<int64_t>(rows_->labels.size()) * 4;
  RIESZ_ASSIGN_OR_RETURN(memory_, ensemble_.device->ledger().Reserve(
                                      bytes, "ensemble '" + ensemble_.claim.key().id + "'"));
  RIESZ_ASSIGN_OR_RETURN(buffer_,
                         ensemble_.device->backend().NewEnsemble(rows_->count, rows_->dim));
  return absl::OkStatus();
}

absl::Status FillTask::FillRows() {
  const int64_t row_bytes = rows_->dim * 4;
  const int64_t count = std::min(rows_->count - rows_done_, RowsPerTile());
  RIESZ_ASSIGN_OR_RETURN(const std::span<std::byte> tile,
                         buffer_->Map(rows_done_ * row_bytes, count * row_bytes));
  float* const out = reinterpret_cast<float*>(tile.data());
  for (int64_t i = 0; i < count; ++i) rows_->write_row(rows_done_ + i, out + i * rows_->dim);
  scan_.Scan(tile);
  crc32c_ = ExtendCrc32c(crc32c_, tile);
  RIESZ_RETURN_IF_ERROR(buffer_->Commit());
  if (scan_.first_non_finite().has_value()) {
    return NonFiniteError(*scan_.first_non_finite(), rows_->dim);
  }
  rows_done_ += count;
  return absl::OkStatus();
}

absl::StatusOr<StoredEnsemble> FillTask::Seal() {
  RIESZ_ASSIGN_OR_RETURN(auto particles, buffer_->Seal());
  buffer_ = nullptr;
  StoredEnsemble stored;
  EnsembleInfo& info = stored.info;
  info.traits = std::move(ensemble_.traits);
  if (!info.traits.sample_shape.has_value()) info.traits.sample_shape = rows_->sample_shape;
  if (!info.traits.value_scaling.has_value()) info.traits.value_scaling = rows_->value_scaling;
  info.count = rows_->count;
  info.dim = rows_->dim;
  info.has_labels = !rows_->labels.empty();
  info.size_bytes = memory_.bytes();
  info.source = rows_->description;
  if (info.has_labels) {
    const auto labels = std::as_bytes(std::span<const int32_t>(rows_->labels));
    crc32c_ = ExtendCrc32c(crc32c_, labels);
    stored.labels =
        HoldMemory(std::make_shared<const std::vector<int32_t>>(std::move(rows_->labels)),
                   memory_.Split(static_cast<int64_t>(labels.size())));
  }
  info.crc32c = crc32c_;
  stored.particles = HoldMemory(std::move(particles), std::move(memory_));
  return stored;
}

void AdoptTask::Refuse(absl::Status status) {
  particles_ = nullptr;
  riesz::Refuse(ensemble_, std::move(status));
}

bool AdoptTask::RunTile() {
  if (ensemble_.interruption.Due()) {
    Refuse(ensemble_.interruption.Explain(bytes_done_ / kTileBytes,
                                          (particles_->bytes() + kTileBytes - 1) / kTileBytes));
    return true;
  }
  absl::Status status = ensemble_.device->CheckAlive();
  if (status.ok()) status = Checksum();
  if (!status.ok()) {
    Refuse(std::move(status));
    return true;
  }
  if (bytes_done_ < particles_->bytes()) return false;
  StoredEnsemble stored;
  EnsembleInfo& info = stored.info;
  info.traits = std::move(ensemble_.traits);
  info.count = particles_->count();
  info.dim = particles_->dim();
  info.size_bytes = particles_->bytes();
  info.crc32c = crc32c_;
  info.source = source_;
  stored.particles = std::move(particles_);
  Publish(ensemble_, std::move(stored));
  return true;
}

absl::Status AdoptTask::Checksum() {
  const int64_t size = std::min(particles_->bytes() - bytes_done_, kTileBytes);
  std::span<const std::byte> bytes;
  if (const auto host = particles_->host_bytes(); !host.empty()) {
    bytes = host.subspan(static_cast<size_t>(bytes_done_), static_cast<size_t>(size));
  } else {
    tile_.resize(static_cast<size_t>(size));
    RIESZ_RETURN_IF_ERROR(
        ReadParticleBytes(ensemble_.device->backend(), *particles_, bytes_done_, tile_));
    bytes = tile_;
  }
  crc32c_ = ExtendCrc32c(crc32c_, bytes);
  bytes_done_ += size;
  return absl::OkStatus();
}

}  // namespace riesz
