// Particles in host memory, row-major as they travel, and the buffer they are filled in.
//
// Thread safety: a CpuEnsemble never changes; a CpuEnsembleBuffer belongs to one thread.
#pragma once

#include <memory>
#include <utility>

#include "core/backend/backend.h"
#include "core/large_memory.h"
#include "core/matrix.h"

namespace riesz::cpu {

class CpuEnsemble final : public DeviceEnsemble {
 public:
  explicit CpuEnsemble(Matrix particles) : particles_(std::move(particles)) {}
  int64_t count() const override { return particles_.rows(); }
  int64_t dim() const override { return particles_.cols(); }
  std::span<const std::byte> host_bytes() const override {
    return std::as_bytes(std::span(particles_.data(), static_cast<size_t>(particles_.size())));
  }
  MatrixView view() const { return particles_.view(); }

 private:
  Matrix particles_;
};

class CpuEnsembleBuffer final : public EnsembleBuffer {
 public:
  explicit CpuEnsembleBuffer(Matrix particles)
      : particles_(std::move(particles)), pages_(Bytes()) {}
  absl::StatusOr<std::span<std::byte>> Map(int64_t offset, int64_t size) override {
    const auto bytes = static_cast<int64_t>(particles_.bytes());
    if (offset < 0 || size < 0 || size > bytes || offset > bytes - size) {
      return absl::OutOfRangeError("the range lies outside the ensemble");
    }
    pages_.ReadyUntil(static_cast<size_t>(offset + size));
    return Bytes().subspan(static_cast<size_t>(offset), static_cast<size_t>(size));
  }
  absl::Status Commit() override { return absl::OkStatus(); }
  absl::StatusOr<std::shared_ptr<const DeviceEnsemble>> Seal() override {
    return std::make_shared<CpuEnsemble>(std::move(particles_));
  }

 private:
  std::span<std::byte> Bytes() {
    return std::as_writable_bytes(
        std::span(particles_.data(), static_cast<size_t>(particles_.size())));
  }

  Matrix particles_;
  PageFeeder pages_;
};

// The rows of an ensemble that a cpu backend made.
inline MatrixView RowsOf(const DeviceEnsemble& ensemble) {
  return static_cast<const CpuEnsemble&>(ensemble).view();
}

}  // namespace riesz::cpu
