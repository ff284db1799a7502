#include "core/kernel.h"

#include <cmath>
#include <numbers>

namespace riesz {
namespace {

// ln Gamma without the global sign that std::lgamma writes.
double LogGamma(double x) {
  int sign = 0;
  return ::lgamma_r(x, &sign);
}

}  // namespace

double SlicingConstant(int64_t dim, double exponent) {
  if (dim == 1) return 1;
  const double half_dim = 0.5 * static_cast<double>(dim);
  return std::exp(0.5 * std::log(std::numbers::pi) + LogGamma(half_dim + 0.5 * exponent) -
                  LogGamma(half_dim) - LogGamma(0.5 * (exponent + 1)));
}

}  // namespace riesz
