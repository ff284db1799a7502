// Reads particles back as bytes, wherever they lie.
//
// Thread safety: thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/status/status.h"
#include "core/backend/backend.h"

namespace riesz {

// Copies bytes [offset, offset + out.size()) of the row-major content. OUT_OF_RANGE outside it.
absl::Status ReadParticleBytes(Backend& backend, const DeviceEnsemble& particles, int64_t offset,
                               std::span<std::byte> out);

}  // namespace riesz
