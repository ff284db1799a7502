#include "core/kernel.h"

#include <cmath>
#include <numbers>

#include "core/check.h"

namespace riesz {
namespace {

// ln Gamma(z) beyond Stirling's elementary part (DLMF 5.11.1); the next term is below 1e-16 for
// z >= 16.
double StirlingTail(double z) {
  const double w = 1 / (z * z);
  return (1.0 / 12 - w * (1.0 / 360 - w * (1.0 / 1260 - w * (1.0 / 1680 - w / 1188)))) / z;
}

// Gamma(z + a) / Gamma(z). Not by the difference of two lgamma: at z = 2^19 each is 6e6, and their
// difference would keep nine digits.
double GammaRatio(double z, double a) {
  double ratio = 1;
  for (; z < 16; z += 1) ratio *= z / (z + a);
  const double log_ratio = a * std::log(z) + (z + a - 0.5) * std::log1p(a / z) - a +
                           (StirlingTail(z + a) - StirlingTail(z));
  return ratio * std::exp(log_ratio);
}

}  // namespace

double SlicingConstant(int64_t dim, double exponent) {
  RIESZ_CHECK(dim >= 1 && exponent > 0 && exponent < 2, "validated by the caller");
  if (dim == 1) return 1;
  return std::sqrt(std::numbers::pi) * GammaRatio(static_cast<double>(dim) / 2, exponent / 2) /
         std::tgamma((exponent + 1) / 2);
}

}  // namespace riesz
