#include "tests/support/emulated_runtime.h"

#include <malloc.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <utility>

#include "core/status_macros.h"

namespace riesz::emulated {
namespace {

constexpr size_t kAlignment = 256;
constexpr int kGarbage = 0xa5;

cuda::DeviceFacts FactsOf(const EmulationOptions& options) {
  return {.name = options.name,
          .description = "a CUDA grid emulated on the host, no GPU",
          .libraries = "emulation/1",
          .memory_bytes = options.memory_bytes,
          .shared_bytes_per_block = options.shared_bytes_per_block,
          .speed = {.flops = 4e9, .bytes = 8e9, .sorted_keys = 8e7}};
}

// To the nearest number with 10 bits of fraction, ties to even.
float RoundToTf32(float value) {
  if (!std::isfinite(value)) return value;
  unsigned bits = __float_as_uint(value);
  bits += 0xfffu + (bits >> 13 & 1u);
  return __uint_as_float(bits & 0xffffe000u);
}

void MultiplyPlainly(const cuda::MatrixProduct& p) {
  const auto factor = [&](float value) {
    return p.kind == cuda::ProductKind::kTf32 ? RoundToTf32(value) : value;
  };
  std::vector<float> row(static_cast<size_t>(p.cols));
  for (int64_t i = 0; i < p.rows; ++i) {
    std::fill(row.begin(), row.end(), 0.0f);
    for (int64_t k = 0; k < p.depth; ++k) {
      const float a = factor(p.transpose_a ? p.a[k * p.a_stride + i] : p.a[i * p.a_stride + k]);
      for (int64_t j = 0; j < p.cols; ++j) {
        const float b = p.transpose_a ? p.b[k * p.b_stride + j] : p.b[j * p.b_stride + k];
        row[static_cast<size_t>(j)] += a * factor(b);
      }
    }
    float* c = p.c + i * p.c_stride;
    for (int64_t j = 0; j < p.cols; ++j) {
      c[j] = p.accumulate ? c[j] + row[static_cast<size_t>(j)] : row[static_cast<size_t>(j)];
    }
  }
}

void SortPlainly(const cuda::SegmentSort& s) {
  std::vector<int64_t> order(static_cast<size_t>(s.count));
  for (int64_t segment = 0; segment < s.segments; ++segment) {
    const int64_t first = segment * s.count;
    std::iota(order.begin(), order.end(), first);
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t a, int64_t b) { return s.keys[a] < s.keys[b]; });
    for (int64_t i = 0; i < s.count; ++i) {
      const int64_t from = order[static_cast<size_t>(i)];
      s.sorted_keys[first + i] = s.keys[from];
      if (s.values != nullptr) s.sorted_values[first + i] = s.values[from];
    }
  }
  const auto bytes = static_cast<size_t>(s.segments * s.count) * sizeof(uint32_t);
  std::memset(s.keys, kGarbage, bytes);
  if (s.values != nullptr) std::memset(s.values, kGarbage, bytes);
}

}  // namespace

EmulatedRuntime::EmulatedRuntime(const EmulationOptions& options)
    : options_(options), facts_(FactsOf(options)) {}

EmulatedRuntime::~EmulatedRuntime() {
  if (bytes_in_use() == 0) return;
  std::fprintf(stderr, "emulated device: memory was never given back\n");
  std::abort();
}

int64_t EmulatedRuntime::bytes_in_use() const {
  const std::lock_guard lock(mutex_);
  return bytes_in_use_;
}

absl::Status EmulatedRuntime::Count() {
  if (calls_++ != options_.calls_until_lost) return absl::OkStatus();
  const std::lock_guard lock(mutex_);
  queue_.clear();  // what a lost device had to do is not done
  return absl::UnavailableError("the test took the device away");
}

absl::StatusOr<void*> EmulatedRuntime::Give(int64_t bytes) {
  RIESZ_RETURN_IF_ERROR(Count());
  const std::lock_guard lock(mutex_);
  const bool refused = allocations_++ == options_.allocations_until_refused;
  if (refused || bytes > options_.memory_bytes - bytes_in_use_) {
    return absl::ResourceExhaustedError("");
  }
  const size_t rounded = (static_cast<size_t>(bytes) + kAlignment - 1) / kAlignment * kAlignment;
  void* memory = std::aligned_alloc(kAlignment, rounded);
  std::memset(memory, kGarbage, rounded);
  bytes_in_use_ += static_cast<int64_t>(malloc_usable_size(memory));
  return memory;
}

absl::StatusOr<void*> EmulatedRuntime::Allocate(int64_t bytes) { return Give(bytes); }
absl::StatusOr<void*> EmulatedRuntime::AllocatePinned(int64_t bytes) { return Give(bytes); }

void EmulatedRuntime::Free(void* memory) {
  const std::lock_guard lock(mutex_);
  if (!queue_.empty()) {
    std::fprintf(stderr, "emulated device: memory was given back while work was queued\n");
    std::abort();
  }
  bytes_in_use_ -= static_cast<int64_t>(malloc_usable_size(memory));
  std::free(memory);
}

absl::Status EmulatedRuntime::Enqueue(std::function<void()> work) {
  RIESZ_RETURN_IF_ERROR(Count());
  const std::lock_guard lock(mutex_);
  queue_.push_back(std::move(work));
  return absl::OkStatus();
}

absl::Status EmulatedRuntime::CopyToDevice(void* to, const void* from, int64_t bytes) {
  RIESZ_RETURN_IF_ERROR(Count());
  std::memcpy(to, from, static_cast<size_t>(bytes));
  return absl::OkStatus();
}
absl::Status EmulatedRuntime::CopyToHost(void* to, const void* from, int64_t bytes) {
  return CopyToDevice(to, from, bytes);
}
absl::Status EmulatedRuntime::EnqueueToDevice(void* to, const void* from, int64_t bytes) {
  return Enqueue([=] { std::memcpy(to, from, static_cast<size_t>(bytes)); });
}
absl::Status EmulatedRuntime::EnqueueToHost(void* to, const void* from, int64_t bytes) {
  return EnqueueToDevice(to, from, bytes);
}
absl::Status EmulatedRuntime::EnqueueCopy(void* to, const void* from, int64_t bytes) {
  return EnqueueToDevice(to, from, bytes);
}
absl::Status EmulatedRuntime::EnqueueClear(void* memory, int64_t bytes) {
  return Enqueue([=] { std::memset(memory, 0, static_cast<size_t>(bytes)); });
}

absl::Status EmulatedRuntime::Launch(const cuda::KernelCall& call) {
  if (call.shape.shared_bytes > facts_.shared_bytes_per_block) {
    return absl::InternalError("a kernel asks for more shared memory than there is");
  }
  return Enqueue([shape = call.shape, thread = call.emulated_thread, order = options_.order] {
    RunGrid(shape.blocks, shape.rows, shape.threads, shape.shared_bytes, order, thread);
  });
}

absl::Status EmulatedRuntime::Multiply(const cuda::MatrixProduct& product) {
  return Enqueue([product] { MultiplyPlainly(product); });
}

absl::Status EmulatedRuntime::SortSegments(const cuda::SegmentSort& sort) {
  return Enqueue([sort] { SortPlainly(sort); });
}

absl::Status EmulatedRuntime::Synchronize() {
  RIESZ_RETURN_IF_ERROR(Count());
  std::vector<std::function<void()>> work;
  {
    const std::lock_guard lock(mutex_);
    work.swap(queue_);
  }
  for (const std::function<void()>& item : work) item();
  return absl::OkStatus();
}

}  // namespace riesz::emulated
