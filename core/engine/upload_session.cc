#include "core/engine/upload_session.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>

#include "core/crc32c.h"
#include "core/error.h"
#include "core/status_macros.h"

namespace riesz {
namespace {

int64_t ParticleBytes(const UploadRequest& request) { return request.count * request.dim * 4; }

std::string Hex(uint32_t crc) {
  char text[16];
  std::snprintf(text, sizeof(text), "%08x", crc);
  return text;
}

absl::Status ChecksumError(const std::string& what, uint32_t is, uint32_t said, int64_t offset) {
  return WithDetail(
      absl::DataLossError(what + ": CRC32C is " + Hex(is) + ", the sender said " + Hex(said)),
      {.reason = ErrorReason::kChecksum, .metadata = {{"offset", std::to_string(offset)}}});
}

template <typename T>
std::shared_ptr<const std::vector<T>> TakeSection(std::span<const std::byte> bytes) {
  auto values = std::make_shared<std::vector<T>>(bytes.size() / sizeof(T));
  std::memcpy(values->data(), bytes.data(), bytes.size());
  return values;
}

}  // namespace

int64_t UploadBytes(const UploadRequest& request) {
  return ParticleBytes(request) + (request.has_weights ? request.count * 4 : 0) +
         (request.has_labels ? request.count * 4 : 0);
}

UploadSession::UploadSession(Parts parts)
    : key_(parts.key),
      parts_(std::move(parts)),
      particle_bytes_(ParticleBytes(parts_.request)),
      annex_(std::move(parts_.annex)) {}

absl::Status UploadSession::AcquireWriter() {
  std::lock_guard lock(mutex_);
  if (closed_) return NotFoundError("upload", parts_.info.id);
  if (writer_open_) {
    return WithDetail(
        absl::AbortedError("upload '" + parts_.info.id + "' is being written by another stream"),
        {.reason = ErrorReason::kUploadBusy, .metadata = {}});
  }
  writer_open_ = true;
  return absl::OkStatus();
}

void UploadSession::ReleaseWriter() {
  std::lock_guard lock(mutex_);
  writer_open_ = false;
}

absl::Status UploadSession::CheckPlace(int64_t offset, int64_t size) const {
  const int64_t committed = parts_.info.committed_bytes;
  if (closed_) return NotFoundError("upload", parts_.info.id);
  if (offset != committed) {
    return WithDetail(absl::OutOfRangeError("chunk begins at " + std::to_string(offset) +
                                            ", the upload stands at " + std::to_string(committed)),
                      {.reason = ErrorReason::kUploadOffset,
                       .metadata = {{"committed_bytes", std::to_string(committed)}}});
  }
  const int64_t left = parts_.info.total_bytes - committed;
  if (size > left) {
    return InvalidField("data", "at most the " + std::to_string(left) + " bytes still missing",
                        std::to_string(size) + " bytes");
  }
  return absl::OkStatus();
}

absl::StatusOr<uint32_t> UploadSession::CopyIn(int64_t offset,
                                               std::span<const std::span<const std::byte>> pieces,
                                               int64_t size, FiniteScan& scan) {
  const int64_t to_particles = std::clamp<int64_t>(particle_bytes_ - offset, 0, size);
  std::span<std::byte> particles;
  if (to_particles > 0) {
    RIESZ_ASSIGN_OR_RETURN(particles, parts_.buffer->Map(offset, to_particles));
  }
  std::byte* annex = annex_.data() + std::max<int64_t>(offset - particle_bytes_, 0);
  std::byte* particle = particles.data();
  int64_t room = to_particles;
  uint32_t crc = 0;
  for (std::span<const std::byte> piece : pieces) {
    const auto head = piece.first(std::min(piece.size(), static_cast<size_t>(room)));
    const auto tail = piece.subspan(head.size());
    crc = CopyAndCrc32c(particle, head, crc);
    crc = CopyAndCrc32c(annex, tail, crc);
    particle += head.size();
    annex += tail.size();
    room -= static_cast<int64_t>(head.size());
  }
  scan.Scan(particles);
  if (to_particles > 0) RIESZ_RETURN_IF_ERROR(parts_.buffer->Commit());
  return crc;
}

absl::Status UploadSession::Write(int64_t offset, uint32_t crc32c,
                                  std::span<const std::span<const std::byte>> pieces,
                                  Clock::Time expiry, WallTime expire_time) {
  int64_t size = 0;
  for (const auto& piece : pieces) size += static_cast<int64_t>(piece.size());
  std::lock_guard lock(mutex_);
  RIESZ_RETURN_IF_ERROR(CheckPlace(offset, size));
  FiniteScan scan = scan_;
  RIESZ_ASSIGN_OR_RETURN(const uint32_t crc, CopyIn(offset, pieces, size, scan));
  if (crc != crc32c) {
    return ChecksumError("chunk at offset " + std::to_string(offset), crc, crc32c, offset);
  }
  if (scan.first_non_finite().has_value() && !parts_.request.allow_non_finite) {
    return NonFiniteError(*scan.first_non_finite(), parts_.request.dim);
  }
  scan_ = scan;
  UploadInfo& info = parts_.info;
  info.committed_crc32c = CombineCrc32c(info.committed_crc32c, crc, static_cast<uint64_t>(size));
  info.committed_bytes += size;
  info.expire_time = expire_time;
  parts_.expiry = expiry;
  return absl::OkStatus();
}

UploadInfo UploadSession::info() const {
  std::lock_guard lock(mutex_);
  return parts_.info;
}

Clock::Time UploadSession::expiry() const {
  std::lock_guard lock(mutex_);
  return parts_.expiry;
}

bool UploadSession::closed() const {
  std::lock_guard lock(mutex_);
  return closed_;
}

absl::Status UploadSession::CheckWeights() const {
  if (!parts_.request.has_weights) return absl::OkStatus();
  for (int64_t i = 0; i < parts_.request.count; ++i) {
    float weight;
    std::memcpy(&weight, annex_.data() + 4 * i, sizeof(weight));
    if (!(weight >= 0) || std::isinf(weight)) {
      return InvalidField("weights[" + std::to_string(i) + "]", "finite and >= 0",
                          std::to_string(weight));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<UploadSession::Sealed> UploadSession::Seal(uint32_t crc32c) {
  std::lock_guard lock(mutex_);
  const UploadInfo& info = parts_.info;
  const UploadRequest& request = parts_.request;
  if (closed_) return NotFoundError("upload", info.id);
  if (writer_open_) {
    return WithDetail(absl::AbortedError("upload '" + info.id + "' is still being written"),
                      {.reason = ErrorReason::kUploadBusy, .metadata = {}});
  }
  if (info.committed_bytes != info.total_bytes) {
    return WithDetail(absl::FailedPreconditionError("upload '" + info.id + "' has " +
                                                    std::to_string(info.committed_bytes) + " of " +
                                                    std::to_string(info.total_bytes) + " bytes"),
                      {.reason = ErrorReason::kWrongState,
                       .metadata = {{"committed_bytes", std::to_string(info.committed_bytes)}}});
  }
  if (crc32c != info.committed_crc32c) {
    return ChecksumError("upload '" + info.id + "'", info.committed_crc32c, crc32c, 0);
  }
  RIESZ_RETURN_IF_ERROR(CheckWeights());

  closed_ = true;
  absl::StatusOr<std::shared_ptr<const DeviceEnsemble>> particles = parts_.buffer->Seal();
  parts_.buffer = nullptr;
  if (!particles.ok()) {
    parts_.memory.Release();
    parts_.claim.Release();
    return particles.status();
  }
  Sealed sealed;
  std::span<const std::byte> annex = annex_;
  const size_t section = static_cast<size_t>(request.count) * 4;
  if (request.has_weights) {
    sealed.ensemble.weights = TakeSection<float>(annex.first(section));
    annex = annex.subspan(section);
  }
  if (request.has_labels) sealed.ensemble.labels = TakeSection<int32_t>(annex.first(section));
  annex_ = {};
  sealed.ensemble.particles = HoldMemory(*std::move(particles), std::move(parts_.memory));
  EnsembleInfo& described = sealed.ensemble.info;
  described.traits = request.traits;
  described.count = request.count;
  described.dim = request.dim;
  described.has_weights = request.has_weights;
  described.has_labels = request.has_labels;
  described.non_finite = scan_.first_non_finite().has_value();
  described.size_bytes = info.total_bytes;
  described.crc32c = info.committed_crc32c;
  described.source = "upload";
  sealed.claim = std::move(parts_.claim);
  return sealed;
}

void UploadSession::Close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  parts_.buffer = nullptr;
  parts_.memory.Release();
  parts_.claim.Release();
  annex_ = {};
}

}  // namespace riesz
