#include "core/engine/upload_session.h"

#include <algorithm>
#include <array>
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

// Bytes that are copied and then scanned while the first-level cache still has them.
constexpr size_t kCachedBytes = size_t{24} << 10;

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

// The part of `column`, whose bytes are [first, first + size) of the stream, that the stream's
// bytes [begin, end) fill. The column becomes long enough to hold it.
template <typename T>
std::span<std::byte> RoomIn(const std::shared_ptr<std::vector<T>>& column, int64_t first,
                            int64_t size, int64_t begin, int64_t end) {
  const int64_t from = std::clamp<int64_t>(begin - first, 0, size);
  const int64_t to = std::clamp<int64_t>(end - first, 0, size);
  if (column == nullptr || from == to) return {};
  const auto values = (static_cast<size_t>(to) + sizeof(T) - 1) / sizeof(T);
  if (column->size() < values) column->resize(values);
  return std::as_writable_bytes(std::span<T>(*column))
      .subspan(static_cast<size_t>(from), static_cast<size_t>(to - from));
}

}  // namespace

int64_t UploadBytes(const UploadRequest& request) {
  return ParticleBytes(request) + (request.has_weights ? request.count * 4 : 0) +
         (request.has_labels ? request.count * 4 : 0);
}

UploadSession::UploadSession(Parts parts)
    : key_(parts.key), parts_(std::move(parts)), particle_bytes_(ParticleBytes(parts_.request)) {}

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
  const Holdings& held = parts_.held;
  const int64_t end = offset + size;
  const int64_t column_bytes = parts_.request.count * 4;
  const int64_t labels_begin = particle_bytes_ + (parts_.request.has_weights ? column_bytes : 0);
  const int64_t to_particles = std::clamp<int64_t>(particle_bytes_ - offset, 0, size);
  std::span<std::byte> particles;
  if (to_particles > 0) {
    RIESZ_ASSIGN_OR_RETURN(particles, held.buffer->Map(offset, to_particles));
  }
  // Together exactly `size` bytes.
  std::array rooms = {particles, RoomIn(held.weights, particle_bytes_, column_bytes, offset, end),
                      RoomIn(held.labels, labels_begin, column_bytes, offset, end)};
  auto room = rooms.begin();
  uint32_t crc = 0;
  for (std::span<const std::byte> piece : pieces) {
    while (!piece.empty()) {
      while (room->empty()) ++room;
      const auto part = piece.first(std::min({piece.size(), room->size(), kCachedBytes}));
      crc = CopyAndCrc32c(room->data(), part, crc);
      if (room == rooms.begin()) scan.Scan(part);
      piece = piece.subspan(part.size());
      *room = room->subspan(part.size());
    }
  }
  if (to_particles > 0) RIESZ_RETURN_IF_ERROR(held.buffer->Commit());
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
  RIESZ_RETURN_IF_ERROR(CheckWeights(offset, offset + size));
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

bool UploadSession::closed() const {
  std::lock_guard lock(mutex_);
  return closed_;
}

absl::Status UploadSession::CheckWeights(int64_t begin, int64_t end) const {
  if (!parts_.request.has_weights) return absl::OkStatus();
  const std::vector<float>& weights = *parts_.held.weights;
  const int64_t count = parts_.request.count;
  const int64_t first = std::clamp<int64_t>((begin - particle_bytes_) / 4, 0, count);
  const int64_t last = std::clamp<int64_t>((end - particle_bytes_) / 4, 0, count);
  for (int64_t i = first; i < last; ++i) {
    const float weight = weights[static_cast<size_t>(i)];
    if (!(weight >= 0) || std::isinf(weight)) {
      return InvalidField("weights[" + std::to_string(i) + "]", "finite and >= 0",
                          std::to_string(weight));
    }
  }
  return absl::OkStatus();
}

absl::Status UploadSession::CheckComplete(uint32_t crc32c) const {
  const UploadInfo& info = parts_.info;
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
  return absl::OkStatus();
}

absl::StatusOr<UploadSession::Sealed> UploadSession::Seal(uint32_t crc32c) {
  Holdings held;
  {
    std::lock_guard lock(mutex_);
    RIESZ_RETURN_IF_ERROR(CheckComplete(crc32c));
    closed_ = true;
    held = std::move(parts_.held);
  }
  // Nobody changes the rest any more.
  RIESZ_ASSIGN_OR_RETURN(auto particles, held.buffer->Seal());
  Sealed sealed;
  StoredEnsemble& ensemble = sealed.ensemble;
  const UploadRequest& request = parts_.request;
  ensemble.particles = HoldMemory(std::move(particles), held.memory.Split(particle_bytes_));
  if (request.has_weights) {
    ensemble.weights = HoldMemory(std::move(held.weights), held.memory.Split(request.count * 4));
  }
  if (request.has_labels) {
    ensemble.labels = HoldMemory(std::move(held.labels), std::move(held.memory));
  }
  EnsembleInfo& described = ensemble.info;
  described.traits = request.traits;
  described.count = request.count;
  described.dim = request.dim;
  described.has_weights = request.has_weights;
  described.has_labels = request.has_labels;
  described.non_finite = scan_.first_non_finite().has_value();
  described.size_bytes = parts_.info.total_bytes;
  described.crc32c = parts_.info.committed_crc32c;
  described.source = "upload";
  sealed.claim = std::move(held.claim);
  return sealed;
}

void UploadSession::Close() {
  Holdings held;  // freed without the lock: it may be gigabytes
  std::lock_guard lock(mutex_);
  closed_ = true;
  held = std::move(parts_.held);
}

bool UploadSession::CloseIfExpired(Clock::Time now) {
  Holdings held;
  std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock() || closed_ || parts_.expiry > now) return false;
  closed_ = true;
  held = std::move(parts_.held);
  return true;
}

}  // namespace riesz
