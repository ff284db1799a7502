// Particles of the contract suite: small, made of fixed seeds, in plain memory.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "core/random.h"

namespace riesz::contract {

// (n, d) row-major.
struct Points {
  int64_t n = 0, d = 0;
  std::vector<float> values;

  Points(int64_t count, int64_t dim) : n(count), d(dim), values(static_cast<size_t>(count * dim)) {}
  Points(int64_t count, int64_t dim, std::vector<float> v)
      : n(count), d(dim), values(std::move(v)) {}
  float& at(int64_t i, int64_t k) { return values[static_cast<size_t>(i * d + k)]; }
  float at(int64_t i, int64_t k) const { return values[static_cast<size_t>(i * d + k)]; }
  std::span<const float> row(int64_t i) const {
    return std::span(values).subspan(static_cast<size_t>(i * d), static_cast<size_t>(d));
  }
};

// Standard normal, times `scale` plus `offset`.
inline Points Normals(int64_t n, int64_t d, uint64_t seed, float scale = 1, float offset = 0) {
  Points p(n, d);
  for (int64_t i = 0; i < n; ++i) {
    FillNormals(seed, RandomStream::kGenerator, 0, static_cast<uint64_t>(i),
                p.values.data() + i * d, d);
  }
  for (float& v : p.values) v = v * scale + offset;
  return p;
}

// Integers 0 .. most - 1: many equal coordinates, many equal rows where d and most are small.
inline Points Integers(int64_t n, int64_t d, uint64_t seed, int most) {
  Points p(n, d);
  for (int64_t i = 0; i < n; ++i) {
    FillUniforms(seed, RandomStream::kGenerator, 0, static_cast<uint64_t>(i),
                 p.values.data() + i * d, d);
  }
  for (float& v : p.values) v = std::floor(v * static_cast<float>(most));
  return p;
}

// `clusters` tight groups: separations of `spread` within a group, of 1 between them, all moved by
// `offset`. Inner products in float32 cancel badly here.
inline Points Clusters(int64_t n, int64_t d, uint64_t seed, int64_t clusters, float spread,
                       float offset) {
  Points p = Normals(n, d, seed, spread);
  const Points centres = Normals(clusters, d, seed + 1000);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t k = 0; k < d; ++k) p.at(i, k) += centres.at(i % clusters, k) + offset;
  }
  return p;
}

// Row order[i] of p becomes row i.
inline Points Permuted(const Points& p, const std::vector<int64_t>& order) {
  Points q(p.n, p.d);
  for (int64_t i = 0; i < p.n; ++i) {
    for (int64_t k = 0; k < p.d; ++k) q.at(i, k) = p.at(order[static_cast<size_t>(i)], k);
  }
  return q;
}

}  // namespace riesz::contract
