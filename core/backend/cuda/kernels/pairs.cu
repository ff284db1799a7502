// Threads against data: a block takes a tile of 64 x 64, a thread 4 x 4 neighbours of it. Slabs of
// 16 coordinates (of both sides) or 16 partners (of weights and coordinates) pass through shared
// memory, 4 KB a side; a thread reads 16 bytes of each side for 16 multiply-adds.
//
//   AddPairSums, WeighPairs       2 instructions a pair and coordinate: t = a - b, s = fma(t, t, s)
//   AddWeightedDifferences        2 a pair and coordinate: t = a - b, s = fma(w, t, s)
//
// Bytes moved: AddPairSums reads 2 * 64 d floats a tile, mostly from L2; WeighPairs writes one
// float a pair as well, AddWeightedDifferences reads it once for every 64 coordinates.
#include <algorithm>
#include <cmath>

#include "core/backend/cuda/kernels/block_sum.cuh"
#include "core/backend/cuda/kernels/pairs.h"
#include "core/backend/cuda/launch.h"

namespace riesz::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kSide = 16;  // threads along a tile's side
constexpr int kOwn = 4;    // pairs of a thread along a side
constexpr int kTile = kSide * kOwn;
static_assert(kTile == kPairTile);
constexpr int kSlab = 16;
constexpr int kPitch = kTile + kOwn;  // of a slab's row: whole 16 bytes, and rows change banks

// What a thread reads of a slab's row at a time, in one instruction.
struct alignas(16) Own {
  float at[kOwn];
};
__device__ Own ReadOwn(const float* row, int place) {
  return *reinterpret_cast<const Own*>(row + place * kOwn);
}

// Two slabs, (kSlab, kPitch) each, and the sums of warps behind them.
struct Slabs {
  float* a;
  float* b;
  double* warp_sums;
};
constexpr int64_t kSlabBytes = int64_t{4} * kSlab * kPitch;
constexpr int64_t kSharedBytes = 2 * kSlabBytes + 8 * kThreads / kWarp;

__device__ Slabs SharedSlabs() {
  auto* a = reinterpret_cast<float*>(SharedMemory());
  float* b = a + kSlab * kPitch;
  return {a, b, reinterpret_cast<double*>(b + kSlab * kPitch)};
}

// slab (kSlab, kPitch): slab[k][r] <- rows[first_row + r][first_column + k], 0 outside.
__device__ void LoadTransposed(const Rows& rows, int64_t stride, int64_t first_row,
                               int64_t first_column, int64_t end_column, float* slab) {
  for (int e = threadIdx.x; e < kTile * kSlab; e += kThreads) {
    const int r = e / kSlab, k = e % kSlab;
    const int64_t row = first_row + r, column = first_column + k;
    slab[k * kPitch + r] =
        row < rows.count && column < end_column ? rows.data[row * stride + column] : 0.0f;
  }
}

// squares[u][v] <- |a_i - b_j|^2 for the thread's pairs i = first_a + u kSide + row, j alike.
__device__ void SquareTile(const Rows& a, const Rows& b, int64_t d, int64_t first_a,
                           int64_t first_b, const Slabs& slabs, float squares[kOwn][kOwn]) {
  const int row = static_cast<int>(threadIdx.x) / kSide;
  const int column = static_cast<int>(threadIdx.x) % kSide;
  for (int u = 0; u < kOwn; ++u) {
    for (int v = 0; v < kOwn; ++v) squares[u][v] = 0;
  }
  for (int64_t k0 = 0; k0 < d; k0 += kSlab) {
    LoadTransposed(a, d, first_a, k0, d, slabs.a);
    LoadTransposed(b, d, first_b, k0, d, slabs.b);
    __syncthreads();
    const int depth = d - k0 < kSlab ? static_cast<int>(d - k0) : kSlab;
    for (int k = 0; k < depth; ++k) {
      const Own as = ReadOwn(slabs.a + k * kPitch, row);
      const Own bs = ReadOwn(slabs.b + k * kPitch, column);
      RIESZ_UNROLL
      for (int u = 0; u < kOwn; ++u) {
        RIESZ_UNROLL
        for (int v = 0; v < kOwn; ++v) {
          const float t = as.at[u] - bs.at[v];
          squares[u][v] = fmaf(t, t, squares[u][v]);
        }
      }
    }
    __syncthreads();
  }
}

// |t|^(2 half) from |t|^2.
__device__ float PowerOf(float square, float half) {
  return half == 0.5f ? sqrtf(square) : powf(square, half);
}

// a (a.count, d), b (b.count, d), sums (gridDim.x); half = r / 2
__global__ void __launch_bounds__(kThreads)
    AddPairSumsKernel(Rows a, Rows b, int64_t d, bool same, float half, int64_t first_tile,
                      int64_t end_tile, double* sums) {
  const Slabs slabs = SharedSlabs();
  const int row = static_cast<int>(threadIdx.x) / kSide;
  const int column = static_cast<int>(threadIdx.x) % kSide;
  const int64_t b_tiles = (b.count + kTile - 1) / kTile;
  double sum = 0;
  for (int64_t tile = first_tile + blockIdx.x; tile < end_tile; tile += gridDim.x) {
    const int64_t tile_a = tile / b_tiles, tile_b = tile % b_tiles;
    if (same && tile_b < tile_a) continue;
    float squares[kOwn][kOwn];
    SquareTile(a, b, d, tile_a * kTile, tile_b * kTile, slabs, squares);
    double own = 0;
    for (int u = 0; u < kOwn; ++u) {
      for (int v = 0; v < kOwn; ++v) {
        const bool inside = tile_a * kTile + row * kOwn + u < a.count &&
                            tile_b * kTile + column * kOwn + v < b.count;
        if (inside) own += static_cast<double>(PowerOf(squares[u][v], half));
      }
    }
    sum += same && tile_b > tile_a ? 2 * own : own;
  }
  sum = BlockSum(sum, slabs.warp_sums);
  if (threadIdx.x == 0) sums[blockIdx.x] += sum;
}

// a (a.count, d), b (b.count, d), weights (a.count, b.count); tile (blockIdx.y, blockIdx.x);
// half = (r - 2) / 2
__global__ void __launch_bounds__(kThreads)
    WeighPairsKernel(Rows a, Rows b, int64_t d, float half, float scale, float* weights) {
  const Slabs slabs = SharedSlabs();
  const int row = static_cast<int>(threadIdx.x) / kSide;
  const int column = static_cast<int>(threadIdx.x) % kSide;
  const int64_t first_a = int64_t{blockIdx.y} * kTile, first_b = int64_t{blockIdx.x} * kTile;
  float squares[kOwn][kOwn];
  SquareTile(a, b, d, first_a, first_b, slabs, squares);
  for (int u = 0; u < kOwn; ++u) {
    for (int v = 0; v < kOwn; ++v) {
      const int64_t i = first_a + row * kOwn + u, j = first_b + column * kOwn + v;
      if (i >= a.count || j >= b.count) continue;
      const float square = squares[u][v];
      const float power = half == -0.5f ? 1 / sqrtf(square) : powf(square, half);
      weights[i * b.count + j] = square > 0 ? scale * power : 0.0f;
    }
  }
}

// a (a.count, d), b (b.count, d), weights (a.count, b.count), sums (a.count, d); the block's tile
// is particles by coordinates (blockIdx.y, blockIdx.x)
__global__ void __launch_bounds__(kThreads)
    AddWeightedDifferencesKernel(Rows a, Rows b, int64_t d, const float* __restrict__ weights,
                                 float* sums) {
  const Slabs slabs = SharedSlabs();
  const int row = static_cast<int>(threadIdx.x) / kSide;
  const int column = static_cast<int>(threadIdx.x) % kSide;
  const int64_t first_a = int64_t{blockIdx.y} * kTile, first_k = int64_t{blockIdx.x} * kTile;
  float own[kOwn][kOwn], sum[kOwn][kOwn];
  for (int u = 0; u < kOwn; ++u) {
    for (int v = 0; v < kOwn; ++v) {
      const int64_t i = first_a + row * kOwn + u, k = first_k + column * kOwn + v;
      own[u][v] = i < a.count && k < d ? a.data[i * d + k] : 0.0f;
      sum[u][v] = 0;
    }
  }
  const Rows weight_rows{weights, a.count};
  for (int64_t j0 = 0; j0 < b.count; j0 += kSlab) {
    LoadTransposed(weight_rows, b.count, first_a, j0, b.count, slabs.a);
    for (int e = threadIdx.x; e < kTile * kSlab; e += kThreads) {
      const int j = e / kTile, k = e % kTile;
      slabs.b[j * kPitch + k] =
          j0 + j < b.count && first_k + k < d ? b.data[(j0 + j) * d + first_k + k] : 0.0f;
    }
    __syncthreads();
    const int depth = b.count - j0 < kSlab ? static_cast<int>(b.count - j0) : kSlab;
    for (int j = 0; j < depth; ++j) {
      const Own ws = ReadOwn(slabs.a + j * kPitch, row);
      const Own bs = ReadOwn(slabs.b + j * kPitch, column);
      RIESZ_UNROLL
      for (int u = 0; u < kOwn; ++u) {
        RIESZ_UNROLL
        for (int v = 0; v < kOwn; ++v) {
          sum[u][v] = fmaf(ws.at[u], own[u][v] - bs.at[v], sum[u][v]);
        }
      }
    }
    __syncthreads();
  }
  for (int u = 0; u < kOwn; ++u) {
    for (int v = 0; v < kOwn; ++v) {
      const int64_t i = first_a + row * kOwn + u, k = first_k + column * kOwn + v;
      if (i < a.count && k < d) sums[i * d + k] += sum[u][v];
    }
  }
}

}  // namespace

absl::Status AddPairSums(Device& device, Rows a, Rows b, int64_t d, bool same, double exponent,
                         int64_t first, int64_t count, double* sums) {
  return Launch(
      device, &AddPairSumsKernel,
      {.blocks = std::min(kPairSlots, count), .threads = kThreads, .shared_bytes = kSharedBytes}, a,
      b, d, same, static_cast<float>(exponent / 2), first, first + count, sums);
}

absl::Status WeighPairs(Device& device, Rows a, Rows b, int64_t d, double exponent, double scale,
                        float* weights) {
  return Launch(device, &WeighPairsKernel,
                {.blocks = CeilDiv(b.count, kTile),
                 .rows = CeilDiv(a.count, kTile),
                 .threads = kThreads,
                 .shared_bytes = kSharedBytes},
                a, b, d, static_cast<float>((exponent - 2) / 2), static_cast<float>(scale),
                weights);
}

absl::Status AddWeightedDifferences(Device& device, Rows a, Rows b, int64_t d, const float* weights,
                                    float* sums) {
  return Launch(device, &AddWeightedDifferencesKernel,
                {.blocks = CeilDiv(d, kTile),
                 .rows = CeilDiv(a.count, kTile),
                 .threads = kThreads,
                 .shared_bytes = kSharedBytes},
                a, b, d, weights, sums);
}

}  // namespace riesz::cuda
