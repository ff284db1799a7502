// Particles in device memory, and the buffer that they are filled through.
//
// Thread safety: a CudaEnsemble never changes; a CudaEnsembleBuffer belongs to one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "core/backend/backend.h"
#include "core/backend/cuda/device.h"

namespace riesz::cuda {

class CudaEnsemble final : public DeviceEnsemble {
 public:
  CudaEnsemble(DeviceArray<float> particles, int64_t count, int64_t dim)
      : particles_(std::move(particles)), count_(count), dim_(dim) {}
  int64_t count() const override { return count_; }
  int64_t dim() const override { return dim_; }
  const float* data() const { return particles_.data(); }  // (count, dim) on the device

 private:
  const DeviceArray<float> particles_;
  const int64_t count_, dim_;
};

// Map lends pinned memory, grown to the largest range asked for and kept until Seal; Commit copies
// from there and waits.
class CudaEnsembleBuffer final : public EnsembleBuffer {
 public:
  CudaEnsembleBuffer(Device& device, DeviceArray<float> particles, int64_t count, int64_t dim)
      : device_(device), particles_(std::move(particles)), count_(count), dim_(dim) {}
  absl::StatusOr<std::span<std::byte>> Map(int64_t offset, int64_t size) override;
  absl::Status Commit() override;
  absl::StatusOr<std::shared_ptr<const DeviceEnsemble>> Seal() override;

 private:
  Device& device_;
  DeviceArray<float> particles_;
  const int64_t count_, dim_;
  PinnedArray<std::byte> staging_;
  int64_t mapped_offset_ = 0, mapped_size_ = 0;
};

// The ensemble as one that a cuda backend made.
inline const CudaEnsemble& OnDevice(const DeviceEnsemble& ensemble) {
  return static_cast<const CudaEnsemble&>(ensemble);
}

}  // namespace riesz::cuda
