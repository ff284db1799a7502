// A block a direction. Threads draw four normals each from one Philox block (Box-Muller, as
// FillNormals in core/random.cc says); then eight threads sum the squares of every eighth
// coordinate in double, in the order of core/directions.cc, and all threads divide. Writes dim
// floats and reads them twice, from L1.
#include <cmath>

#include "core/backend/cuda/kernels/iid_directions.h"
#include "core/backend/cuda/launch.h"
#include "core/random.h"

namespace riesz::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kSums = 8;  // of squares, as in core/directions.cc

struct PhiloxBlock {
  uint32_t word[4];
};

// As Philox in core/random.cc.
__device__ PhiloxBlock PhiloxAt(PhiloxBlock c, uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const uint32_t high0 = __umulhi(0xD2511F53u, c.word[0]), low0 = 0xD2511F53u * c.word[0];
    const uint32_t high1 = __umulhi(0xCD9E8D57u, c.word[2]), low1 = 0xCD9E8D57u * c.word[2];
    c = {{high1 ^ c.word[1] ^ key0, low1, high0 ^ c.word[3] ^ key1, low0}};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return c;
}

// As MinusTwoLog in core/random.cc.
__device__ float MinusTwoLog(uint32_t bits) {
  const float shifted = static_cast<float>(static_cast<int32_t>(bits >> 1)) + 0.5f;
  const float scaled = shifted < 2147483520.0f ? shifted : 2147483520.0f;
  const auto pattern = static_cast<int32_t>(__float_as_uint(scaled));
  const int32_t exponent = (pattern - 0x3f3504f3) >> 23;
  const float mantissa = __uint_as_float(static_cast<uint32_t>(pattern - exponent * (1 << 23)));
  const auto e = static_cast<float>(exponent - 31);
  const float x = mantissa - 1.0f;
  float p = 7.0376836292e-2f;
  p = x * p + -1.1514610310e-1f;
  p = x * p + 1.1676998740e-1f;
  p = x * p + -1.2420140846e-1f;
  p = x * p + 1.4249322787e-1f;
  p = x * p + -1.6668057665e-1f;
  p = x * p + 2.0000714765e-1f;
  p = x * p + -2.4999993993e-1f;
  p = x * p + 3.3333331174e-1f;
  const float x2 = x * x;
  float tail = (p * x) * x2;
  tail = tail + e * -2.12194440e-4f;
  tail = tail - x2 * 0.5f;
  const float log = (x + tail) + e * 0.693359375f;
  return log * -2.0f;
}

// As SinCos in core/random.cc.
__device__ void SinCos(uint32_t bits, float& sine, float& cosine) {
  const auto rest = static_cast<int32_t>(bits & 0x3fffffffu);
  const float x = static_cast<float>(rest - (1 << 29)) * (1.57079632679f * 0x1p-30f);
  const float z = x * x;
  float p = z * -1.9515295891e-4f + 8.3321608736e-3f;
  p = z * p + -1.6666654611e-1f;
  const float s = (p * z) * x + x;
  float q = z * 2.443315711809948e-5f + -1.388731625493765e-3f;
  q = z * q + 4.166664568298827e-2f;
  const float c = ((q * z) * z - z * 0.5f) + 1.0f;
  const uint32_t quadrant = bits >> 30;
  const bool swap = (quadrant & 1) != 0;
  const uint32_t sine_sign = quadrant >> 1 << 31;
  const uint32_t cosine_sign = (quadrant + 1) >> 1 << 31;
  sine = __uint_as_float(__float_as_uint(swap ? c : s) ^ sine_sign);
  cosine = __uint_as_float(__float_as_uint(swap ? s : c) ^ cosine_sign);
}

// As RoundToBfloat16 in core/directions.cc.
__device__ float RoundToBfloat16(float value) {
  const uint32_t bits = __float_as_uint(value);
  return __uint_as_float((bits + 0x7fffu + (bits >> 16 & 1u)) & 0xffff0000u);
}

// out (gridDim.x, dim). Shared: kSums doubles.
__global__ void __launch_bounds__(kThreads)
    DrawIidKernel(uint64_t seed, uint32_t stream, uint64_t step, int64_t first, int64_t dim,
                  float* out) {
  const auto row = static_cast<uint32_t>(first + blockIdx.x);
  float* direction = out + blockIdx.x * dim;
  for (int64_t k = 4 * int64_t{threadIdx.x}; k < dim; k += 4 * kThreads) {
    const PhiloxBlock bits =
        PhiloxAt({{static_cast<uint32_t>(k / 4), row, static_cast<uint32_t>(step),
                   (static_cast<uint32_t>(step >> 32) << 8) | stream}},
                 static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32));
    for (int pair = 0; pair < 4; pair += 2) {
      const float radius = sqrtf(MinusTwoLog(bits.word[pair]));
      float sine, cosine;
      SinCos(bits.word[pair + 1], sine, cosine);
      if (k + pair < dim) direction[k + pair] = radius * cosine;
      if (k + pair + 1 < dim) direction[k + pair + 1] = radius * sine;
    }
  }
  __syncthreads();
  auto* squares = reinterpret_cast<double*>(SharedMemory());
  if (threadIdx.x < kSums) {
    double sum = 0;
    for (int64_t k = threadIdx.x; k < dim; k += kSums) {
      sum += static_cast<double>(direction[k]) * direction[k];
    }
    squares[threadIdx.x] = sum;
  }
  __syncthreads();
  double square = 0;
  for (int i = 0; i < kSums; ++i) square += squares[i];
  const double inverse = 1 / sqrt(square);
  for (int64_t k = threadIdx.x; k < dim; k += kThreads) {
    const auto coordinate = static_cast<float>(direction[k] * inverse);
    direction[k] = dim >= kRoundedDim ? RoundToBfloat16(coordinate) : coordinate;
  }
}

}  // namespace

absl::Status DrawIidDirections(Device& device, const DirectionSpec& spec, int64_t dim,
                               uint64_t step, int64_t first, int64_t count, float* out) {
  return Launch(device, &DrawIidKernel,
                {.blocks = count, .threads = kThreads, .shared_bytes = kSums * 8}, spec.seed,
                static_cast<uint32_t>(RandomStream::kDirections), step, first, dim, out);
}

}  // namespace riesz::cuda
