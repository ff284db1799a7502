#include "tests/contract/oracle.h"

#include <algorithm>
#include <cmath>

#include "core/kernel.h"

namespace riesz::contract {
namespace {

constexpr double kEpsilon = 0x1p-24;

// Distances of all rows from the mean of y.
std::vector<double> Radii(const Points& p, const Points& y) {
  std::vector<double> mean(static_cast<size_t>(y.d));
  for (int64_t j = 0; j < y.n; ++j) {
    for (int64_t k = 0; k < y.d; ++k) {
      mean[static_cast<size_t>(k)] += y.at(j, k) / static_cast<double>(y.n);
    }
  }
  std::vector<double> radii;
  for (int64_t i = 0; i < p.n; ++i) {
    double square = 0;
    for (int64_t k = 0; k < p.d; ++k) {
      square += std::pow(p.at(i, k) - mean[static_cast<size_t>(k)], 2);
    }
    radii.push_back(std::sqrt(square));
  }
  return radii;
}

// One pair: its distance and how far float32 may be from it.
struct Pair {
  double distance = 0;
  double difference_error = 0;  // of x - y, from rounded coordinates
  double error = 0;             // of the distance
};

Pair PairOf(std::span<const float> a, std::span<const float> b, double a_radius, double b_radius) {
  double square = 0;
  for (size_t k = 0; k < a.size(); ++k) square += std::pow(static_cast<double>(a[k]) - b[k], 2);
  Pair pair{.distance = std::sqrt(square)};
  if (pair.distance == 0) return pair;
  pair.difference_error = 8 * kEpsilon * (a_radius + b_radius);
  pair.error = pair.difference_error +
               32 * kEpsilon * std::sqrt(static_cast<double>(a.size()) + 16) * pair.distance;
  return pair;
}

// Sum over all ordered pairs of |a_i - b_j|^r.
Bounded SumPairs(const Points& a, const Points& b, const std::vector<double>& a_radii,
                 const std::vector<double>& b_radii, double r) {
  Bounded sum;
  for (int64_t i = 0; i < a.n; ++i) {
    for (int64_t j = 0; j < b.n; ++j) {
      const Pair pair = PairOf(a.row(i), b.row(j), a_radii[static_cast<size_t>(i)],
                               b_radii[static_cast<size_t>(j)]);
      const double power = std::pow(pair.distance, r);
      sum.value += power;
      sum.bound += std::max(std::pow(pair.distance + pair.error, r) - power,
                            power - std::pow(std::max(pair.distance - pair.error, 0.0), r)) +
                   8 * kEpsilon * power;
    }
  }
  return sum;
}

// Adds weight * sum_j grad |x_i - others_j|^r to row i, and its error to the bound.
void AddPairs(const Points& x, const Points& others, const std::vector<double>& x_radii,
              const std::vector<double>& other_radii, double r, double weight,
              BoundedVelocity& out) {
  for (int64_t i = 0; i < x.n; ++i) {
    for (int64_t j = 0; j < others.n; ++j) {
      const Pair pair = PairOf(x.row(i), others.row(j), x_radii[static_cast<size_t>(i)],
                               other_radii[static_cast<size_t>(j)]);
      if (pair.distance == 0) continue;
      const double slope = weight * r * std::pow(pair.distance, r - 2);
      for (int64_t k = 0; k < x.d; ++k) {
        out.velocity[static_cast<size_t>(i * x.d + k)] +=
            slope * (static_cast<double>(x.at(i, k)) - others.at(j, k));
      }
      out.bound[static_cast<size_t>(i)] +=
          std::abs(slope) *
          ((2 - r) * pair.error + pair.difference_error + 16 * kEpsilon * pair.distance);
    }
  }
}

struct Slice {
  std::vector<double> positions;
  std::vector<double> errors;
};

Slice Project(const Points& p, const std::vector<double>& radii, const float* direction) {
  Slice slice;
  for (int64_t i = 0; i < p.n; ++i) {
    double position = 0;
    for (int64_t k = 0; k < p.d; ++k) {
      position += static_cast<double>(p.at(i, k)) * direction[k];
    }
    slice.positions.push_back(position);
    slice.errors.push_back(2 * kEpsilon * (1 + std::sqrt(static_cast<double>(p.d))) *
                           radii[static_cast<size_t>(i)]);
  }
  return slice;
}

double MeanDistance(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (const double s : a) {
    for (const double t : b) sum += std::abs(s - t);
  }
  return sum / static_cast<double>(a.size()) / static_cast<double>(b.size());
}

double Mean(const std::vector<double>& v) {
  double sum = 0;
  for (const double t : v) sum += t;
  return sum / static_cast<double>(v.size());
}

bool Same(const Points& a, int64_t i, const Points& b, int64_t j) {
  return std::equal(a.row(i).begin(), a.row(i).end(), b.row(j).begin());
}

// mean_j sign(x_i - others_j), by the tie rule with sign(0) = 0; `slack` grows where float32 may
// see another order.
double MeanSign(const Points& x, int64_t i, const Points& others, const Slice& at_x,
                const Slice& at_others, double& slack) {
  const double each = 1 / static_cast<double>(others.n);
  double mean = 0;
  for (int64_t j = 0; j < others.n; ++j) {
    if (Same(x, i, others, j)) continue;
    const auto is = static_cast<size_t>(i), js = static_cast<size_t>(j);
    const double t = at_x.positions[is] - at_others.positions[js];
    mean += t > 0 ? each : t < 0 ? -each : 0;
    if (std::abs(t) <= at_x.errors[is] + at_others.errors[js]) slack += 2 * each;
  }
  return mean;
}

}  // namespace

std::vector<float> AllDirections(const DirectionSpec& spec, int64_t dim, uint64_t step) {
  std::vector<float> all(static_cast<size_t>(SliceCount(spec, dim) * dim));
  for (int64_t b = 0; b < DirectionBlockCount(spec, dim); ++b) {
    GenerateDirectionBlock(spec, dim, step, b,
                           all.data() + DirectionBlockAt(spec, dim, b).first * dim);
  }
  return all;
}

Bounded ExactDistance(const Points& x, const Points& y, double exponent, Estimator estimator) {
  const std::vector<double> rx = Radii(x, y), ry = Radii(y, y);
  const Bounded xy = SumPairs(x, y, rx, ry, exponent);
  const Bounded xx = SumPairs(x, x, rx, rx, exponent);
  const Bounded yy = SumPairs(y, y, ry, ry, exponent);
  const auto n = static_cast<double>(x.n), m = static_cast<double>(y.n);
  const double left_out = estimator == Estimator::kU ? 1 : 0;
  const double a = 2 / (n * m), b = 1 / (n * (n - left_out)), c = 1 / (m * (m - left_out));
  return {a * xy.value - b * xx.value - c * yy.value, a * xy.bound + b * xx.bound + c * yy.bound};
}

Bounded SlicedDistance(const Points& x, const Points& y, const DirectionSpec& directions,
                       Estimator estimator, uint64_t step) {
  const std::vector<double> rx = Radii(x, y), ry = Radii(y, y);
  const std::vector<float> all = AllDirections(directions, x.d, step);
  const auto n = static_cast<double>(x.n), m = static_cast<double>(y.n);
  const double x_weight = estimator == Estimator::kU ? n / (n - 1) : 1;
  const double y_weight = estimator == Estimator::kU ? m / (m - 1) : 1;
  const int64_t slices = SliceCount(directions, x.d);
  const double scale = SlicingConstant(x.d, 1) / static_cast<double>(slices);
  Bounded sum;
  for (int64_t p = 0; p < slices; ++p) {
    const Slice sx = Project(x, rx, all.data() + p * x.d);
    const Slice sy = Project(y, ry, all.data() + p * x.d);
    sum.value += scale * (2 * MeanDistance(sx.positions, sy.positions) -
                          x_weight * MeanDistance(sx.positions, sx.positions) -
                          y_weight * MeanDistance(sy.positions, sy.positions));
    // No term of E moves by more than 2 (mean error) times its weight when points move by theirs.
    sum.bound += scale * 2 * (2 + x_weight + y_weight) * (Mean(sx.errors) + Mean(sy.errors));
  }
  return sum;
}

BoundedVelocity ExactVelocity(const Points& x, const Points& y, double exponent) {
  BoundedVelocity out{std::vector<double>(x.values.size()),
                      std::vector<double>(static_cast<size_t>(x.n))};
  const std::vector<double> rx = Radii(x, y), ry = Radii(y, y);
  AddPairs(x, y, rx, ry, exponent, 1 / static_cast<double>(y.n), out);
  AddPairs(x, x, rx, rx, exponent, -1 / static_cast<double>(x.n), out);
  return out;
}

BoundedVelocity SlicedVelocity(const Points& x, const Points& y, const DirectionSpec& directions,
                               uint64_t step) {
  BoundedVelocity out{std::vector<double>(x.values.size()),
                      std::vector<double>(static_cast<size_t>(x.n))};
  const std::vector<double> rx = Radii(x, y), ry = Radii(y, y);
  const std::vector<float> all = AllDirections(directions, x.d, step);
  const int64_t slices = SliceCount(directions, x.d);
  const double scale = SlicingConstant(x.d, 1) / static_cast<double>(slices);
  // Sums over slices in float32, worst case; |xi| = 1.
  const double rounding = kEpsilon * (static_cast<double>(slices) + 8);
  for (int64_t p = 0; p < slices; ++p) {
    const float* direction = all.data() + p * x.d;
    const Slice sx = Project(x, rx, direction);
    const Slice sy = Project(y, ry, direction);
    for (int64_t i = 0; i < x.n; ++i) {
      double slack = 0;
      const double toward_y = MeanSign(x, i, y, sx, sy, slack);
      const double toward_x = MeanSign(x, i, x, sx, sx, slack);
      const double h = toward_y - toward_x;
      for (int64_t k = 0; k < x.d; ++k) {
        out.velocity[static_cast<size_t>(i * x.d + k)] += scale * h * direction[k];
      }
      out.bound[static_cast<size_t>(i)] +=
          scale * (slack + rounding * (std::abs(toward_y) + std::abs(toward_x)));
    }
  }
  return out;
}

}  // namespace riesz::contract
