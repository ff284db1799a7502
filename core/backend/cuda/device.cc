#include "core/backend/cuda/device.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "core/error.h"

namespace riesz::cuda {
namespace {

absl::Status Exhausted(std::string_view where, std::string_view purpose, int64_t wanted,
                       int64_t free, int64_t limit) {
  const std::string what(purpose);
  return WithDetail(
      absl::ResourceExhaustedError(absl::StrCat(
          std::string(where), ": ", wanted, " bytes wanted for ", what,
          free > 0 ? absl::StrCat(", ", free, " of ", limit, " free") : std::string())),
      {.reason = ErrorReason::kMemory,
       .metadata = {{"what", what},
                    {"wanted_bytes", std::to_string(wanted)},
                    {"free_bytes", std::to_string(free)},
                    {"limit_bytes", std::to_string(limit)}}});
}

}  // namespace

absl::Status Device::LostError() const {
  return WithDetail(absl::UnavailableError(absl::StrCat("device ", facts().name, " was lost")),
                    {.reason = ErrorReason::kDeviceLost, .metadata = {{"device", facts().name}}});
}

// The first error says why; all later ones only that the device is gone.
absl::Status Device::Noted(absl::Status status) {
  if (!absl::IsUnavailable(status)) return status;
  if (lost_.exchange(true)) return LostError();
  const std::string why(status.message());
  return WithDetail(
      absl::UnavailableError(absl::StrCat("device ", facts().name, " was lost: ", why)),
      {.reason = ErrorReason::kDeviceLost, .metadata = {{"device", facts().name}}});
}

template <class Call>
absl::Status Device::Guarded(const Call& call) {
  if (lost()) return LostError();
  return Noted(call());
}

absl::StatusOr<void*> Device::Allocate(int64_t bytes, std::string_view purpose) {
  if (lost()) return LostError();
  absl::StatusOr<void*> memory = runtime_->Allocate(bytes);
  if (absl::IsResourceExhausted(memory.status())) {
    return Exhausted(facts().name, purpose, bytes, runtime_->FreeBytes(), facts().memory_bytes);
  }
  if (!memory.ok()) return Noted(std::move(memory).status());
  return memory;
}

absl::StatusOr<void*> Device::AllocatePinned(int64_t bytes, std::string_view purpose) {
  if (lost()) return LostError();
  absl::StatusOr<void*> memory = runtime_->AllocatePinned(bytes);
  if (absl::IsResourceExhausted(memory.status())) {
    return Exhausted("pinned host memory", purpose, bytes, 0, 0);
  }
  if (!memory.ok()) return Noted(std::move(memory).status());
  return memory;
}

absl::Status Device::CopyToDevice(void* to, const void* from, int64_t bytes) {
  return Guarded([&] { return runtime_->CopyToDevice(to, from, bytes); });
}
absl::Status Device::CopyToHost(void* to, const void* from, int64_t bytes) {
  return Guarded([&] { return runtime_->CopyToHost(to, from, bytes); });
}
absl::Status Device::EnqueueToDevice(void* to, const void* from, int64_t bytes) {
  return Guarded([&] { return runtime_->EnqueueToDevice(to, from, bytes); });
}
absl::Status Device::EnqueueToHost(void* to, const void* from, int64_t bytes) {
  return Guarded([&] { return runtime_->EnqueueToHost(to, from, bytes); });
}
absl::Status Device::EnqueueCopy(void* to, const void* from, int64_t bytes) {
  return Guarded([&] { return runtime_->EnqueueCopy(to, from, bytes); });
}
absl::Status Device::EnqueueClear(void* memory, int64_t bytes) {
  return Guarded([&] { return runtime_->EnqueueClear(memory, bytes); });
}
absl::Status Device::Launch(const KernelCall& call) {
  return Guarded([&] { return runtime_->Launch(call); });
}
absl::Status Device::Multiply(const MatrixProduct& product) {
  return Guarded([&] { return runtime_->Multiply(product); });
}
absl::Status Device::SortSegments(const SegmentSort& sort) {
  return Guarded([&] { return runtime_->SortSegments(sort); });
}
absl::Status Device::Synchronize() {
  return Guarded([&] { return runtime_->Synchronize(); });
}

}  // namespace riesz::cuda
