// A CUDA grid on the host: the words of core/backend/cuda/kernel_language.h with a fibre per CUDA
// thread. Slow, single-threaded, and strict: what is undefined on a GPU ends the process here.
//
// Blocks run one after the other, a block's threads in turns: each runs until it waits at a barrier
// or for its warp. Shared memory starts as garbage. Threads that wait for each other in vain, a
// barrier that some threads have left, and collectives of less than a whole warp are reported and
// abort. Threads run in ascending or in descending order, so that a missing barrier shows as a
// result that depends on it. Under AddressSanitizer every access outside an allocation is found.
//
// What it cannot show: races within an instruction, memory order, speed, and floating-point
// functions that differ from CUDA's by an ulp (powf).
//
// Thread safety: grids of different host threads are independent.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>

namespace riesz::emulated {

struct Index3 {
  unsigned x = 0, y = 0, z = 0;
};

// What a CUDA thread knows of itself.
struct ThreadIndices {
  Index3 thread, block, block_dim, grid_dim;
};
inline thread_local const ThreadIndices* current_thread = nullptr;

enum class ThreadOrder { kAscending, kDescending };

// Runs `thread` for every thread of grid (blocks, rows) of `threads` each.
void RunGrid(int64_t blocks, int64_t rows, int threads, int64_t shared_bytes, ThreadOrder order,
             const std::function<void()>& thread);

// The block's dynamic shared memory.
unsigned char* BlockMemory();
void SyncBlock();
void SyncWarp(unsigned mask);
// Every lane gives 8 bytes and gets those of `source` (a lane of its warp).
uint64_t Exchange(unsigned mask, uint64_t value, int source);
// Lanes whose value is this lane's.
unsigned Match(unsigned mask, unsigned value);
int Lane();

template <class T>
T ShuffleFrom(unsigned mask, T value, int source) {
  static_assert(sizeof(T) <= sizeof(uint64_t));
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  // Lanes outside the warp answer with the caller's own value.
  const bool inside = source >= 0 && source < 32;
  bits = Exchange(mask, bits, inside ? source : Lane());
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

}  // namespace riesz::emulated

// NOLINTBEGIN: the language of CUDA, whose names are not ours.
#define __global__
#define __device__
#define __host__
#define __launch_bounds__(...)
#define threadIdx (::riesz::emulated::current_thread->thread)
#define blockIdx (::riesz::emulated::current_thread->block)
#define blockDim (::riesz::emulated::current_thread->block_dim)
#define gridDim (::riesz::emulated::current_thread->grid_dim)

inline void __syncthreads() { ::riesz::emulated::SyncBlock(); }
inline void __syncwarp() { ::riesz::emulated::SyncWarp(0xffffffffu); }
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta) {
  return ::riesz::emulated::ShuffleFrom(mask, value,
                                        ::riesz::emulated::Lane() + static_cast<int>(delta));
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta) {
  return ::riesz::emulated::ShuffleFrom(mask, value,
                                        ::riesz::emulated::Lane() - static_cast<int>(delta));
}
template <class T>
T __shfl_sync(unsigned mask, T value, int source) {
  return ::riesz::emulated::ShuffleFrom(mask, value, source);
}
inline unsigned __match_any_sync(unsigned mask, unsigned value) {
  return ::riesz::emulated::Match(mask, value);
}
inline int __popc(unsigned value) { return __builtin_popcount(value); }
inline unsigned __float_as_uint(float value) {
  unsigned bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}
inline float __uint_as_float(unsigned bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>(uint64_t{a} * b >> 32);
}
inline int __ffs(int value) { return __builtin_ffs(value); }
// A fibre runs undisturbed between barriers, so plain accesses are atomic.
template <class T>
T atomicMax(T* address, T value) {
  const T old = *address;
  if (value > old) *address = value;
  return old;
}
template <class T>
T atomicAdd(T* address, T value) {
  const T old = *address;
  *address = old + value;
  return old;
}
template <class T>
T atomicOr(T* address, T value) {
  const T old = *address;
  *address = old | value;
  return old;
}
// NOLINTEND

namespace riesz::cuda {

inline unsigned char* SharedMemory() { return emulated::BlockMemory(); }

}  // namespace riesz::cuda
