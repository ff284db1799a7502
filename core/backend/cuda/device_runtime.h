// What the backend asks of a GPU: memory, copies, kernels, matrix products, sorting. One interface
// with two implementations: `cuda_runtime` over CUDA, and an emulation on the host for tests.
//
// Enqueue... and Launch, Multiply and SortSegments put work on the device's one compute queue, in
// order, and return before it is done; Synchronize waits for all of it. Nothing given to them may
// be freed or changed before. CopyToDevice and CopyToHost have a queue of their own and wait.
//
// Errors: RESOURCE_EXHAUSTED from Allocate...; UNAVAILABLE when the device is lost; INTERNAL when
// we asked for nonsense. An error of queued work may be reported by any later call.
//
// Thread safety: thread-safe, but work of two threads may alternate in the queue (Device has a lock
// for that).
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace riesz::cuda {

// Blocks of b that cover a.
inline constexpr int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// What a device computes in a second, for cutting work into launches: rough, conservative.
struct DeviceSpeed {
  double flops = 0;        // single precision, a fused multiply-add counts two
  double bytes = 0;        // of device memory
  double sorted_keys = 0;  // projections through sort and merge
};

struct DeviceFacts {
  std::string name;                    // "cuda:0"
  std::string description;             // model and compute capability
  std::string libraries;               // versions that fix the bits of a result
  int64_t memory_bytes = 0;            // of the whole device
  int64_t shared_bytes_per_block = 0;  // the most that a kernel may ask for
  DeviceSpeed speed;
};

// A grid of blocks of one kernel.
struct LaunchShape {
  int64_t blocks = 0;  // < 2^31; blockIdx.x
  int64_t rows = 1;    // < 2^16; blockIdx.y
  int threads = 256;   // a multiple of 32
  int64_t shared_bytes = 0;
};

struct KernelCall {
  const void* kernel = nullptr;  // its host stub
  LaunchShape shape;
  void** arguments = nullptr;  // pointers to its arguments; read within Launch
  // What one thread does, where kernels are host functions; empty where they are not.
  std::function<void()> emulated_thread;
};

// Single-precision products. kFp32: as it says. kTf32: factors rounded to 10 bits of fraction,
// sums in float32.
enum class ProductKind { kFp32, kTf32 };

// c (rows, cols) = product + (accumulate ? c : 0); all row-major, strides in floats.
//   transpose_a false: a (rows, depth), b (cols, depth): c = a b^T
//   transpose_a true:  a (depth, rows), b (depth, cols): c = a^T b
// Every element of c is the same sequence of operations whatever its place.
struct MatrixProduct {
  bool transpose_a = false;
  int64_t rows = 0, cols = 0, depth = 0;
  const float* a = nullptr;
  int64_t a_stride = 0;
  const float* b = nullptr;
  int64_t b_stride = 0;
  float* c = nullptr;
  int64_t c_stride = 0;
  bool accumulate = false;
  ProductKind kind = ProductKind::kFp32;
};

// Sorts `segments` runs of `count` keys that follow each other, ascending and stable, with a value
// each or (values null) without. keys and values are scratch afterwards. Requires
// segments * count < 2^31.
struct SegmentSort {
  int64_t segments = 0, count = 0;
  uint32_t* keys = nullptr;
  uint32_t* sorted_keys = nullptr;
  uint32_t* values = nullptr;
  uint32_t* sorted_values = nullptr;
  void* scratch = nullptr;  // kSortScratchBytes
};
// Beside the arrays, whatever the number of keys.
inline constexpr int64_t kSortScratchBytes = int64_t{1} << 20;

class DeviceRuntime {
 public:
  virtual ~DeviceRuntime() = default;
  virtual const DeviceFacts& facts() const = 0;

  // 256-byte aligned, content undefined. RESOURCE_EXHAUSTED without a text of its own.
  virtual absl::StatusOr<void*> Allocate(int64_t bytes) = 0;
  // Requires that nothing queued uses it.
  virtual void Free(void* memory) = 0;
  virtual int64_t FreeBytes() = 0;  // for error texts; 0 when the device does not say
  // Host memory that copies go straight from and to.
  virtual absl::StatusOr<void*> AllocatePinned(int64_t bytes) = 0;
  virtual void FreePinned(void* memory) = 0;

  virtual absl::Status CopyToDevice(void* to, const void* from, int64_t bytes) = 0;
  virtual absl::Status CopyToHost(void* to, const void* from, int64_t bytes) = 0;

  // `from` and `to` on the host are pinned.
  virtual absl::Status EnqueueToDevice(void* to, const void* from, int64_t bytes) = 0;
  virtual absl::Status EnqueueToHost(void* to, const void* from, int64_t bytes) = 0;
  virtual absl::Status EnqueueCopy(void* to, const void* from, int64_t bytes) = 0;
  virtual absl::Status EnqueueClear(void* memory, int64_t bytes) = 0;
  virtual absl::Status Launch(const KernelCall& call) = 0;
  virtual absl::Status Multiply(const MatrixProduct& product) = 0;
  virtual absl::Status SortSegments(const SegmentSort& sort) = 0;
  virtual absl::Status Synchronize() = 0;
};

}  // namespace riesz::cuda
