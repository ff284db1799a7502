#include "core/backend/reference/pairs.h"

#include <cmath>

namespace riesz::reference {
namespace {

// Not a square root of a sum of squares without care: a float's range squared is within a double's.
double Distance(std::span<const float> a, std::span<const float> b) {
  double square = 0;
  for (size_t k = 0; k < a.size(); ++k) {
    const double difference = static_cast<double>(a[k]) - b[k];
    square += difference * difference;
  }
  return std::sqrt(square);
}

}  // namespace

double SumOfPowers(std::span<const float> point, MatrixView others, double exponent) {
  double sum = 0;
  for (int64_t j = 0; j < others.rows; ++j) {
    sum += std::pow(Distance(point, others.row(j)), exponent);
  }
  return sum;
}

void AddGradientSums(std::span<const float> point, MatrixView others, double exponent,
                     double weight, std::span<double> sums) {
  for (int64_t j = 0; j < others.rows; ++j) {
    const double distance = Distance(point, others.row(j));
    if (distance == 0) continue;
    const double scale = weight * exponent * std::pow(distance, exponent - 2);
    for (size_t k = 0; k < point.size(); ++k) {
      sums[k] += scale * (static_cast<double>(point[k]) - others.row(j)[k]);
    }
  }
}

}  // namespace riesz::reference
