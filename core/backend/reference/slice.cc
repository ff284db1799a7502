#include "core/backend/reference/slice.h"

#include <algorithm>
#include <cmath>

namespace riesz::reference {
namespace {

// 2 #{v < t} + #{v = t} in sorted v: twice the mid-rank, an integer.
int64_t TwiceMidRank(const std::vector<double>& sorted, double t) {
  const auto [first, last] = std::equal_range(sorted.begin(), sorted.end(), t);
  return (first - sorted.begin()) + (last - sorted.begin());
}

double Spread(const std::vector<double>& sorted) {
  const auto n = static_cast<double>(sorted.size());
  double sum = 0;
  for (size_t i = 1; i < sorted.size(); ++i) {
    const double f = static_cast<double>(i) / n;
    sum += f * (1 - f) * (sorted[i] - sorted[i - 1]);
  }
  return sum;
}

double MeanPower(const std::vector<double>& a, const std::vector<double>& b, double exponent) {
  double sum = 0;
  for (const double s : a) {
    for (const double t : b) sum += std::pow(std::abs(s - t), exponent);
  }
  return sum / (static_cast<double>(a.size()) * static_cast<double>(b.size()));
}

double MeanSlope(double at, const std::vector<double>& others, double exponent) {
  double sum = 0;
  for (const double t : others) {
    if (t != at) sum += std::copysign(std::pow(std::abs(at - t), exponent - 1), at - t);
  }
  return exponent * sum / static_cast<double>(others.size());
}

}  // namespace

std::vector<double> Project(MatrixView rows, const float* direction) {
  std::vector<double> projections(static_cast<size_t>(rows.rows));
  for (int64_t i = 0; i < rows.rows; ++i) {
    double sum = 0;
    for (int64_t k = 0; k < rows.cols; ++k) {
      sum += static_cast<double>(rows.row(i)[static_cast<size_t>(k)]) * direction[k];
    }
    projections[static_cast<size_t>(i)] = sum;
  }
  return projections;
}

SliceIntegrals Integrate(std::vector<double> x, std::vector<double> y) {
  std::sort(x.begin(), x.end());
  std::sort(y.begin(), y.end());
  std::vector<double> merged;
  merged.reserve(x.size() + y.size());
  std::merge(x.begin(), x.end(), y.begin(), y.end(), std::back_inserter(merged));
  SliceIntegrals integrals{.x_spread = Spread(x), .y_spread = Spread(y)};
  size_t x_below = 0, y_below = 0;  // points of x and y at or below merged[i - 1]
  for (size_t i = 1; i < merged.size(); ++i) {
    while (x_below < x.size() && x[x_below] <= merged[i - 1]) ++x_below;
    while (y_below < y.size() && y[y_below] <= merged[i - 1]) ++y_below;
    const double difference = static_cast<double>(x_below) / static_cast<double>(x.size()) -
                              static_cast<double>(y_below) / static_cast<double>(y.size());
    integrals.energy_distance += 2 * difference * difference * (merged[i] - merged[i - 1]);
  }
  return integrals;
}

std::vector<double> Velocities(const std::vector<double>& x, std::vector<double> y) {
  std::vector<double> sorted_x = x;
  std::sort(sorted_x.begin(), sorted_x.end());
  std::sort(y.begin(), y.end());
  const auto n = static_cast<int64_t>(x.size());
  const auto m = static_cast<int64_t>(y.size());
  std::vector<double> h;
  h.reserve(x.size());
  for (const double t : x) {
    const int64_t toward_y = TwiceMidRank(y, t) - m;
    const int64_t toward_x = TwiceMidRank(sorted_x, t) - n;
    h.push_back(static_cast<double>(toward_y) / static_cast<double>(m) -
                static_cast<double>(toward_x) / static_cast<double>(n));
  }
  return h;
}

SliceIntegrals IntegratePower(const std::vector<double>& x, const std::vector<double>& y,
                              double exponent) {
  const double within_x = MeanPower(x, x, exponent), within_y = MeanPower(y, y, exponent);
  return {.energy_distance = 2 * MeanPower(x, y, exponent) - within_x - within_y,
          .x_spread = within_x / 2,
          .y_spread = within_y / 2};
}

std::vector<double> PowerVelocities(const std::vector<double>& x, const std::vector<double>& y,
                                    double exponent) {
  std::vector<double> h;
  h.reserve(x.size());
  for (const double t : x) h.push_back(MeanSlope(t, y, exponent) - MeanSlope(t, x, exponent));
  return h;
}

}  // namespace riesz::reference
