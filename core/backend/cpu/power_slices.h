// The one-dimensional problem of one slice at r != 1: velocities and value by sums of exponentials
// over sorted points.
//
// Of the merged projections t_k with weights w_k = (count in y)/M - (count in x)/N,
//   h_i = N dD^2/dx_i = r sum_k w_k sign(x_i - t_k) |x_i - t_k|^(r-1),
//   E = -2 sum_{j<k} w_j w_k |t_k - t_j|^r.
// The power is an ExponentialSum: each node is one recurrence over the sorted points (S <- S
// e^(-rate gap) + w, to the right and, for h, to the left), the polynomial is prefix sums, pairs
// closer than its cut-off are put right one by one. Equal projections are one point, so that they
// do not act on each other, and x = y gives exactly 0.
//
// Why sums in double and e^(-rate gap) - 1 in float32: the error of a decay is then 1e-7 of its
// rate, as if gaps had been rounded, and does not grow with the number of points.
//
// Thread safety: a PowerScratch belongs to one thread; PowerSlices is immutable.
#pragma once

#include <cstdint>
#include <vector>

#include "core/backend/cpu/exponential_sum.h"
#include "core/backend/cpu/ranks.h"

namespace riesz::cpu {

// Working memory for slices of up to n and m points.
class PowerScratch {
 public:
  PowerScratch(int64_t n, int64_t m);
  static int64_t Bytes(int64_t n, int64_t m);

  std::vector<uint64_t> work;     // of the sort
  std::vector<uint32_t> indices;  // of x, in sorted order
  std::vector<uint32_t> x_keys;   // sorted
  std::vector<uint32_t> y_keys;   // sorted
  std::vector<int32_t> place;     // of sorted x among the merged points
  // Of the merged points, padded to whole vectors.
  std::vector<float> t;           // scaled so that their range is in [1, 2)
  std::vector<double> x_weights;  // count / N
  std::vector<double> y_weights;
  std::vector<float> weights;  // w
  std::vector<float> close;    // what close pairs add to the sums
  std::vector<double> sums;    // sum_k w_k sign(t - t_k) |t - t_k|^(r-1)
};

class PowerSlices {
 public:
  // 0 < exponent < 2, not 1.
  explicit PowerSlices(double exponent);

  // As SliceVelocities and MeasureSlice (ranks.h). Everything is NaN where a projection is not
  // finite.
  void Velocities(float* x, int64_t n, const float* y, int64_t m, PowerScratch& scratch,
                  SliceValue* value) const;
  SliceValue Measure(const float* x, int64_t n, const float* y, int64_t m,
                     PowerScratch& scratch) const;

 private:
  const double exponent_;
  const ExponentialSum value_;  // |t|^r
  const ExponentialSum slope_;  // |t|^(r-1)
};

}  // namespace riesz::cpu
