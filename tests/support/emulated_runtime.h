// A DeviceRuntime on the host, honest about what a GPU would not forgive.
//
// Kernels run on an emulated grid, products are plain loops (TF32 rounds its factors to 10 bits of
// fraction), sorting is std::stable_sort. Queued work runs at Synchronize, no earlier: results that
// are read too early are old, and arguments that go too early are found by AddressSanitizer. Memory
// is garbage when it is given out; giving it back while work is queued aborts. The device is slow
// by its own account, so that small problems have several chunks.
//
// Thread safety: as DeviceRuntime. Its speed is that of an abacus.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "core/backend/cuda/device_runtime.h"
#include "tests/support/emulated_grid.h"

namespace riesz::emulated {

struct EmulationOptions {
  std::string name = "cuda-emulated";
  ThreadOrder order = ThreadOrder::kAscending;
  int64_t memory_bytes = int64_t{1} << 30;
  int64_t shared_bytes_per_block = 227 << 10;
  // Calls (of any kind that can fail) before the one that finds the device lost; -1: never. That
  // one alone says so: who is lost must be remembered by others.
  int64_t calls_until_lost = -1;
  // Allocations before the one that is refused; -1: never.
  int64_t allocations_until_refused = -1;
};

class EmulatedRuntime final : public cuda::DeviceRuntime {
 public:
  explicit EmulatedRuntime(const EmulationOptions& options = {});
  ~EmulatedRuntime() override;

  // Calls that could have failed so far.
  int64_t calls() const { return calls_.load(); }
  int64_t bytes_in_use() const;

  const cuda::DeviceFacts& facts() const override { return facts_; }
  absl::StatusOr<void*> Allocate(int64_t bytes) override;
  void Free(void* memory) override;
  int64_t FreeBytes() override { return options_.memory_bytes - bytes_in_use(); }
  absl::StatusOr<void*> AllocatePinned(int64_t bytes) override;
  void FreePinned(void* memory) override { Free(memory); }
  absl::Status CopyToDevice(void* to, const void* from, int64_t bytes) override;
  absl::Status CopyToHost(void* to, const void* from, int64_t bytes) override;
  absl::Status EnqueueToDevice(void* to, const void* from, int64_t bytes) override;
  absl::Status EnqueueToHost(void* to, const void* from, int64_t bytes) override;
  absl::Status EnqueueCopy(void* to, const void* from, int64_t bytes) override;
  absl::Status EnqueueClear(void* memory, int64_t bytes) override;
  absl::Status Launch(const cuda::KernelCall& call) override;
  absl::Status Multiply(const cuda::MatrixProduct& product) override;
  absl::Status SortSegments(const cuda::SegmentSort& sort) override;
  absl::Status Synchronize() override;

 private:
  absl::Status Count();
  absl::Status Enqueue(std::function<void()> work);
  absl::StatusOr<void*> Give(int64_t bytes);

  const EmulationOptions options_;
  const cuda::DeviceFacts facts_;
  std::atomic<int64_t> calls_{0};
  mutable std::mutex mutex_;
  std::vector<std::function<void()>> queue_;
  int64_t allocations_ = 0;
  int64_t bytes_in_use_ = 0;
};

}  // namespace riesz::emulated
