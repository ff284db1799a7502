// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011).
//
// A number is a pure function of (seed, stream, counter): no state, any order, any thread, the same
// integers everywhere. Streams keep uses apart, so that a flow's directions and its start never
// share numbers.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace riesz {

enum class RandomStream : uint32_t {
  kDirections = 1,  // counter = (step, slice, coordinate / 4)
  kGenerator = 2,   // counter = (row, coordinate / 4)
  kShuffle = 3,     // choice of rows from a data set
};

// The ten-round Philox block: 128 random bits for a 128-bit counter and a 64-bit key.
std::array<uint32_t, 4> Philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

// Uniform in [0, 1) with 24 random bits, exact in float32.
inline float UniformFromBits(uint32_t bits) { return static_cast<float>(bits >> 8) * 0x1p-24f; }

// Fills out[0..n) with the row's standard normals (Box-Muller in double, rounded to float32).
// `row` and `step` key the counter; coordinate k always gets the same number, whatever n.
void FillNormals(uint64_t seed, RandomStream stream, uint64_t step, uint64_t row, float* out,
                 int64_t n);
// As FillNormals, uniform in [0, 1).
void FillUniforms(uint64_t seed, RandomStream stream, uint64_t step, uint64_t row, float* out,
                  int64_t n);

// The first `count` entries of a uniformly random permutation of 0..total-1 (Fisher-Yates, keyed by
// seed). Requires 0 <= count <= total. Memory O(count).
std::vector<int64_t> ChooseRows(uint64_t seed, int64_t total, int64_t count);

}  // namespace riesz
