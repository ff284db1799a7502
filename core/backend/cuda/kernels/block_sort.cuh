// Sorts 32-bit keys in shared memory, by themselves or with 16-bit indices: a radix sort of one
// block, four stable passes of eight bits.
//
// Threads against data: warp w holds keys [w 32 kItems, (w + 1) 32 kItems), thread t of it every
// 32nd. A pass counts digits a warp at a time, equal digits of 32 neighbours by one match; scans
// the counters in the order (digit, warp); and scatters from registers into the very arrays that it
// read. Shared memory moved: 4 (2) 4 bytes a key, 4 (2) 6 with indices.
//
// Why our own and not cub::BlockRadixSort: the same source runs on the host's emulated grid, where
// tests see every branch of it; CUB's does not. Its algorithm is the one of CUB's match-based
// ranking, without its tuning.
#pragma once

#include <cstdint>

#include "core/backend/cuda/kernel_language.h"

namespace riesz::cuda {

inline constexpr int kDigits = 256;

// Order-preserving: floats as unsigned integers. Both zeros are the same key, since they tie.
__device__ inline uint32_t KeyOf(float value) {
  const uint32_t bits = __float_as_uint(value + 0.0f);
  return bits ^ ((bits >> 31) != 0 ? 0xffffffffu : 0x80000000u);
}
__device__ inline float ValueOf(uint32_t key) {
  return __uint_as_float(key ^ ((key >> 31) != 0 ? 0x80000000u : 0xffffffffu));
}

// What a block of kThreads sorts, up to kThreads * kItems keys.
template <int kThreads, int kItems, bool kIndices>
struct BlockSort {
  static constexpr int kWarps = kThreads / kWarp;
  static constexpr int kCapacity = kThreads * kItems;
  static constexpr int kCounters = kDigits * kWarps;
  // keys, counters, a total a warp, then indices.
  static constexpr int kSharedBytes =
      4 * (kCapacity + kCounters + kWarps) + (kIndices ? 2 * kCapacity : 0);

  uint32_t* keys;      // (kCapacity)
  uint32_t* counters;  // (kDigits, kWarps)
  uint32_t* totals;    // (kWarps)
  uint16_t* indices;   // (kCapacity)

  __device__ explicit BlockSort(unsigned char* shared)
      : keys(reinterpret_cast<uint32_t*>(shared)),
        counters(keys + kCapacity),
        totals(counters + kCounters),
        indices(reinterpret_cast<uint16_t*>(totals + kWarps)) {}

  // Sorts keys [0, count); indices become the places where the keys came from. All threads call it,
  // after keys are written and a barrier; ends with a barrier.
  __device__ void Run(int count) {
    Pass<0>(count);
    Pass<8>(count);
    Pass<16>(count);
    Pass<24>(count);
  }

 private:
  template <int kShift>
  __device__ void Pass(int count) {
    const int warp = static_cast<int>(threadIdx.x) / kWarp;
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    const int first = warp * kWarp * kItems + lane;
    uint32_t key[kItems];
    // Low half: the index. High half: the rank among the warp's keys with the same digit. One
    // register instead of two: at 40 items the difference is 400 bytes of spills.
    uint32_t place[kItems];
    for (int i = threadIdx.x; i < kCounters; i += kThreads) counters[i] = 0;
    RIESZ_UNROLL
    for (int k = 0; k < kItems; ++k) {
      const int from = first + k * kWarp;
      // Beyond the end: the greatest key, which a stable sort leaves behind all others.
      key[k] = from < count ? keys[from] : 0xffffffffu;
      place[k] = 0;
      if (kIndices)
        place[k] = kShift == 0 ? static_cast<uint32_t>(from) : from < count ? indices[from] : 0u;
    }
    __syncthreads();
    RIESZ_UNROLL
    for (int k = 0; k < kItems; ++k) {
      if (first - lane + k * kWarp >= count) break;  // the whole warp: nothing left to rank
      const uint32_t digit = key[k] >> kShift & (kDigits - 1);
      const unsigned peers = __match_any_sync(kWholeWarp, digit);
      const int before = __popc(peers & ((1u << lane) - 1));
      // The first of the peers counts for all. Items in turns: ranks follow the order of the keys.
      uint32_t base = 0;
      if (before == 0) {
        base = atomicAdd(counters + digit * kWarps + warp, static_cast<uint32_t>(__popc(peers)));
      }
      base = __shfl_sync(kWholeWarp, base, __ffs(static_cast<int>(peers)) - 1);
      place[k] |= (base + static_cast<uint32_t>(before)) << 16;
    }
    __syncthreads();
    ScanCounters(warp, lane);
    __syncthreads();
    RIESZ_UNROLL
    for (int k = 0; k < kItems; ++k) {
      if (first + k * kWarp >= count) break;
      const uint32_t digit = key[k] >> kShift & (kDigits - 1);
      const int to = static_cast<int>(counters[digit * kWarps + warp] + (place[k] >> 16));
      if (to >= count) continue;
      keys[to] = key[k];
      if (kIndices) indices[to] = static_cast<uint16_t>(place[k]);
    }
    __syncthreads();
  }

  // Counters become the sums of all before them; a thread has kDigits / kWarp of them in a row.
  __device__ void ScanCounters(int warp, int lane) {
    constexpr int kOwn = kCounters / kThreads;
    uint32_t* own = counters + threadIdx.x * kOwn;
    uint32_t total = 0;
    for (int i = 0; i < kOwn; ++i) total += own[i];
    uint32_t upto = total;  // inclusive, within the warp
    for (int delta = 1; delta < kWarp; delta *= 2) {
      const uint32_t other = __shfl_up_sync(kWholeWarp, upto, static_cast<unsigned>(delta));
      if (lane >= delta) upto += other;
    }
    if (lane == kWarp - 1) totals[warp] = upto;
    __syncthreads();
    uint32_t before = upto - total;
    for (int w = 0; w < warp; ++w) before += totals[w];
    for (int i = 0; i < kOwn; ++i) {
      const uint32_t count = own[i];
      own[i] = before;
      before += count;
    }
  }
};

}  // namespace riesz::cuda
