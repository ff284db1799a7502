#include "core/engine/particle_bytes.h"

#include <cstring>
#include <string>
#include <vector>

#include "core/status_macros.h"

namespace riesz {

absl::Status ReadParticleBytes(Backend& backend, const DeviceEnsemble& particles, int64_t offset,
                               std::span<std::byte> out) {
  const auto size = static_cast<int64_t>(out.size());
  if (offset < 0 || offset > particles.bytes() || size > particles.bytes() - offset) {
    return absl::OutOfRangeError("bytes [" + std::to_string(offset) + ", " +
                                 std::to_string(offset + size) + ") of " +
                                 std::to_string(particles.bytes()));
  }
  if (size == 0) return absl::OkStatus();
  if (const auto host = particles.host_bytes(); !host.empty()) {
    std::memcpy(out.data(), host.data() + offset, out.size());
    return absl::OkStatus();
  }
  // Devices hand out whole rows; the range may begin and end within one.
  const int64_t row_bytes = particles.dim() * static_cast<int64_t>(sizeof(float));
  const int64_t first_row = offset / row_bytes;
  const int64_t end_row = (offset + size + row_bytes - 1) / row_bytes;
  std::vector<float> rows(static_cast<size_t>((end_row - first_row) * particles.dim()));
  RIESZ_RETURN_IF_ERROR(backend.Download(particles, first_row, rows));
  const auto bytes = std::as_bytes(std::span<const float>(rows));
  std::memcpy(out.data(), bytes.data() + (offset - first_row * row_bytes), out.size());
  return absl::OkStatus();
}

}  // namespace riesz
