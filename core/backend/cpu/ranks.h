// The one-dimensional problem of one slice at r = 1: ranks by sorting, and from them velocity and
// value.
//
// With cy_i = #{y < x_i} + half the ties and cx_i the same among x (x_i itself counts half):
//   h_i = N dD^2/dx_i = (2 cy_i - M)/M - (2 cx_i - N)/N,
// integer counts and true divisions, so that h is exactly 0 where x and y agree. D^2 is homogeneous
// of degree 1 in (x, y), so Euler's theorem gives the value from the same counts:
//   E = 2 (sum_i x_i h_i / N + sum_j y_j h'_j / M), h' being h with x and y exchanged.
//
// Thread safety: a SliceScratch belongs to one thread; the functions write nothing else.
#pragma once

#include <cstdint>
#include <vector>

namespace riesz::cpu {

// Working memory for slices of up to n and m points.
class SliceScratch {
 public:
  // Without `values`, only what SliceVelocities needs.
  SliceScratch(int64_t n, int64_t m, bool values);
  static int64_t Bytes(int64_t n, int64_t m, bool values);

  std::vector<uint64_t> work;     // of the sort
  std::vector<uint32_t> indices;  // of x, in sorted order
  std::vector<uint32_t> x_keys;   // sorted
  std::vector<uint32_t> y_keys;   // sorted
  std::vector<int32_t> below;     // 2 c of the other ensemble
  std::vector<int32_t> own;       // 2 c of the same ensemble
};

// Twice the mid-rank counts of sorted `keys` (count): below_twice among sorted `others`, own_twice
// among themselves, each as an integer modulo 2^32 (exact below 2^31).
void CountRanks(const uint32_t* keys, int64_t count, const uint32_t* others, int64_t other_count,
                int32_t* below_twice, int32_t* own_twice);

// Integrals over one slice.
struct SliceValue {
  double energy_distance = 0;  // E, V-statistic, >= 0
  double x_spread = 0;         // int F (1 - F)
  double y_spread = 0;         // int G (1 - G)
};

// Replaces the projections x (n) by h (n). y (m) is read. `value` may be null; when given it is the
// slice's value, from the same sorted projections.
void SliceVelocities(float* x, int64_t n, const float* y, int64_t m, SliceScratch& scratch,
                     SliceValue* value);
SliceValue MeasureSlice(const float* x, int64_t n, const float* y, int64_t m,
                        SliceScratch& scratch);

}  // namespace riesz::cpu
