// One GPU as the backend sees it: a DeviceRuntime that stays lost once it was, says what memory was
// wanted for, and lends its compute queue to one thread at a time.
//
// Thread safety: thread-safe; whoever queues work holds compute_queue() until it has synchronised.
// Ownership: owns the runtime; outlives all memory that it gave out.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backend/cuda/device_runtime.h"

namespace riesz::cuda {

class Device {
 public:
  explicit Device(std::unique_ptr<DeviceRuntime> runtime) : runtime_(std::move(runtime)) {}

  const DeviceFacts& facts() const { return runtime_->facts(); }
  std::mutex& compute_queue() { return compute_queue_; }
  bool lost() const { return lost_.load(); }

  // RESOURCE_EXHAUSTED (MEMORY) with what for, how much was wanted, and what is free. `purpose`
  // completes "... wanted for".
  absl::StatusOr<void*> Allocate(int64_t bytes, std::string_view purpose);
  absl::StatusOr<void*> AllocatePinned(int64_t bytes, std::string_view purpose);
  void Free(void* memory) { runtime_->Free(memory); }
  void FreePinned(void* memory) { runtime_->FreePinned(memory); }

  // As DeviceRuntime's. UNAVAILABLE (DEVICE_LOST) for good once one of them said UNAVAILABLE.
  absl::Status CopyToDevice(void* to, const void* from, int64_t bytes);
  absl::Status CopyToHost(void* to, const void* from, int64_t bytes);
  absl::Status EnqueueToDevice(void* to, const void* from, int64_t bytes);
  absl::Status EnqueueToHost(void* to, const void* from, int64_t bytes);
  absl::Status EnqueueCopy(void* to, const void* from, int64_t bytes);
  absl::Status EnqueueClear(void* memory, int64_t bytes);
  absl::Status Launch(const KernelCall& call);
  absl::Status Multiply(const MatrixProduct& product);
  absl::Status SortSegments(const SegmentSort& sort);
  absl::Status Synchronize();

 private:
  absl::Status LostError() const;
  absl::Status Noted(absl::Status status);
  template <class Call>
  absl::Status Guarded(const Call& call);

  const std::unique_ptr<DeviceRuntime> runtime_;
  std::mutex compute_queue_;
  std::atomic<bool> lost_{false};
};

// Owned device memory for `size` values, given back when it goes. Movable; the device outlives it.
template <class T, bool kPinned = false>
class DeviceArray {
 public:
  DeviceArray() = default;
  DeviceArray(DeviceArray&& other) noexcept { *this = std::move(other); }
  DeviceArray& operator=(DeviceArray&& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~DeviceArray() {
    if (data_ == nullptr) return;
    if constexpr (kPinned) {
      device_->FreePinned(data_);
    } else {
      device_->Free(data_);
    }
  }

  static absl::StatusOr<DeviceArray> Make(Device& device, int64_t size, std::string_view purpose) {
    DeviceArray array;
    if (size == 0) return array;
    absl::StatusOr<void*> memory = kPinned ? device.AllocatePinned(Bytes(size), purpose)
                                           : device.Allocate(Bytes(size), purpose);
    if (!memory.ok()) return std::move(memory).status();
    array.device_ = &device;
    array.data_ = static_cast<T*>(*memory);
    array.size_ = size;
    return array;
  }
  // What `size` values take on the device.
  static int64_t Bytes(int64_t size) {
    return (size * static_cast<int64_t>(sizeof(T)) + kAlignment - 1) / kAlignment * kAlignment;
  }

  T* data() const { return data_; }
  int64_t size() const { return size_; }
  int64_t bytes() const { return size_ * static_cast<int64_t>(sizeof(T)); }

 private:
  static constexpr int64_t kAlignment = 256;

  Device* device_ = nullptr;
  T* data_ = nullptr;
  int64_t size_ = 0;
};

// Host memory that copies to and from the device go through without another copy.
template <class T>
using PinnedArray = DeviceArray<T, true>;

}  // namespace riesz::cuda
