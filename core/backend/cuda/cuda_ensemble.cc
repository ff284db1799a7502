#include "core/backend/cuda/cuda_ensemble.h"

#include "core/status_macros.h"

namespace riesz::cuda {

absl::StatusOr<std::span<std::byte>> CudaEnsembleBuffer::Map(int64_t offset, int64_t size) {
  const int64_t bytes = particles_.bytes();
  if (offset < 0 || size < 0 || size > bytes || offset > bytes - size) {
    return absl::OutOfRangeError("the range lies outside the ensemble");
  }
  if (staging_.size() < size) {
    staging_ = {};
    RIESZ_ASSIGN_OR_RETURN(staging_,
                           PinnedArray<std::byte>::Make(device_, size, "staging of an upload"));
  }
  mapped_offset_ = offset;
  mapped_size_ = size;
  return std::span(staging_.data(), static_cast<size_t>(size));
}

absl::Status CudaEnsembleBuffer::Commit() {
  if (mapped_size_ == 0) return absl::OkStatus();
  auto* to = reinterpret_cast<std::byte*>(particles_.data()) + mapped_offset_;
  return device_.CopyToDevice(to, staging_.data(), std::exchange(mapped_size_, 0));
}

absl::StatusOr<std::shared_ptr<const DeviceEnsemble>> CudaEnsembleBuffer::Seal() {
  staging_ = {};
  return std::make_shared<CudaEnsemble>(std::exchange(particles_, {}), count_, dim_);
}

}  // namespace riesz::cuda
