// One slice after both sides are sorted: ranks of the particles among both, and the integrals of
// its value, by one walk over the merged points.
//
//   h_i = (2 cy_i - m)/m - (2 cx_i - n)/n by the tie rule of core/README.md, from integer counts;
//   2 int (F - G)^2 = 2 sum_k (i_k m - j_k n)^2 gap_k / (n m)^2 with the counts i, j up to point k.
//
// Threads against data: each walks an equal share of the n + m merged points, found by a search
// along the diagonal (merge path), so that no distribution of points makes one thread slow. Ties:
// x goes first, and ends of runs of equal points are searched, not walked.
#pragma once

#include <cstdint>

#include "core/backend/cuda/kernel_language.h"
#include "core/backend/cuda/kernels/block_sort.cuh"
#include "core/backend/cuda/kernels/slices.h"

namespace riesz::cuda {

// Sorted keys of one slice. index (n): where each x came from; h (n) by that place, or null.
template <class Index>
struct SortedSlice {
  const uint32_t* x;
  int64_t n;
  const uint32_t* y;
  int64_t m;
  const Index* index;
  float* h;
};

// First place in [low, high) whose key is not below t; above t.
__device__ inline int64_t LowerBound(const uint32_t* keys, int64_t low, int64_t high, uint32_t t) {
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (keys[middle] < t) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}
__device__ inline int64_t UpperBound(const uint32_t* keys, int64_t low, int64_t high, uint32_t t) {
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (keys[middle] <= t) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// How many of the first `merged` points of both are x.
template <class Index>
__device__ int64_t XAmongMerged(const SortedSlice<Index>& s, int64_t merged) {
  int64_t low = merged > s.m ? merged - s.m : 0;
  int64_t high = merged < s.n ? merged : s.n;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (s.x[middle] <= s.y[merged - 1 - middle]) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// Walks merged points [begin, end); returns this share of the slice's sums.
template <class Index>
__device__ SliceSums WalkMerged(const SortedSlice<Index>& s, int64_t begin, int64_t end,
                                bool values) {
  SliceSums sums{0, 0, 0, 0};
  if (begin >= end) return sums;
  int64_t i = XAmongMerged(s, begin);
  int64_t j = begin - i;
  int64_t first = i;  // of the x equal to x[i]
  if (0 < i && i < s.n && s.x[i - 1] == s.x[i]) first = LowerBound(s.x, 0, i, s.x[i]);
  const auto n = static_cast<double>(s.n), m = static_cast<double>(s.m);
  for (int64_t merged = begin; merged < end; ++merged) {
    uint32_t t;
    if (i < s.n && (j >= s.m || s.x[i] <= s.y[j])) {
      t = s.x[i];
      if (i > 0 && s.x[i - 1] != t) first = i;
      if (s.h != nullptr) {
        const int64_t last =
            i + 1 < s.n && s.x[i + 1] == t ? UpperBound(s.x, i + 1, s.n, t) : i + 1;
        const int64_t y_last = j < s.m && s.y[j] == t ? UpperBound(s.y, j, s.m, t) : j;
        const auto toward_y = static_cast<double>(j + y_last - s.m);
        const auto toward_x = static_cast<double>(first + last - s.n);
        const auto h = static_cast<float>(toward_y / m - toward_x / n);
        s.h[s.index[i]] = h;
        sums.h_square += static_cast<double>(h) * h;
      }
      ++i;
      if (values && i < s.n) {
        const double gap = static_cast<double>(ValueOf(s.x[i])) - ValueOf(t);
        sums.x_spread += static_cast<double>(i) * static_cast<double>(s.n - i) * gap;
      }
    } else {
      t = s.y[j];
      ++j;
      if (values && j < s.m) {
        const double gap = static_cast<double>(ValueOf(s.y[j])) - ValueOf(t);
        sums.y_spread += static_cast<double>(j) * static_cast<double>(s.m - j) * gap;
      }
    }
    if (values && (i < s.n || j < s.m)) {
      const uint32_t next = i < s.n && (j >= s.m || s.x[i] <= s.y[j]) ? s.x[i] : s.y[j];
      const auto difference = static_cast<double>(i * s.m - j * s.n);
      const double gap = static_cast<double>(ValueOf(next)) - ValueOf(t);
      sums.energy += difference * difference * gap;
    }
  }
  return sums;
}

}  // namespace riesz::cuda
