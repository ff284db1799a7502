#include "core/backend/cpu/exponential_sum.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/check.h"

namespace riesz::cpu {
namespace {

constexpr double kStep = 0.7;
// The first term left out is (s t)^4/24 at s below this and t < 2: 3e-6 of |t|^p at p = 1.9, less
// at smaller p.
constexpr double kFirstRate = 0.02;
// Cut-off times the last rate. The first node left out is a factor e^0.7 beyond: e^-14 is 8e-7.
constexpr double kReach = 7;

// Coefficient of t^q of the nodes below `first`: (-1)^q/q! sum_{k < 0} s_k^(q-p), a geometric sum.
std::array<double, ExponentialSum::kPolynomial> Below(double power, double first) {
  std::array<double, ExponentialSum::kPolynomial> polynomial;
  double scale = kStep / std::tgamma(-power);
  for (int q = 0; q < ExponentialSum::kPolynomial; ++q) {
    if (q > 0) scale /= -q;
    polynomial[static_cast<size_t>(q)] =
        scale * std::pow(first, q - power) / std::expm1((q - power) * kStep);
  }
  return polynomial;
}

// The sum of all nodes up to the last at x times the cut-off, in units of cutoff^p.
double UpToLast(double power, double x) {
  constexpr int kNodes = 20;  // the first of them at 6e-6: the cubic is exact to rounding
  const auto rate = [](int k) { return kReach * std::exp(-k * kStep); };
  double sum = 0;
  for (int k = kNodes; k >= 0; --k) sum += std::pow(rate(k), -power) * std::exp(-rate(k) * x);
  sum *= kStep / std::tgamma(-power);
  const auto below = Below(power, rate(kNodes));
  return sum + below[0] + x * (below[1] + x * (below[2] + x * below[3]));
}

}  // namespace

ExponentialSum::ExponentialSum(double power) : power_(power) {
  RIESZ_CHECK(power > -1 && power < 2 && power != 0 && power != 1, "validated by the caller");
  const double scale = kStep / std::tgamma(-power);
  for (size_t k = 0; k < rates_.size(); ++k) {
    const double rate = kFirstRate * std::exp(static_cast<double>(k) * kStep);
    rates_[k] = static_cast<float>(rate);
    // Of the rate before it was rounded: the weights cancel against the polynomial's constant.
    weights_[k] = scale * std::pow(rate, -power);
  }
  polynomial_ = Below(power, kFirstRate);

  // Chebyshev interpolation on (0, 1), then powers of z = 2 x - 1.
  std::array<double, kNear> values, chebyshev{}, monomials{};
  const auto angle = [](int i) { return std::numbers::pi * (i + 0.5) / kNear; };
  for (int i = 0; i < kNear; ++i) {
    values[static_cast<size_t>(i)] = UpToLast(power, (1 + std::cos(angle(i))) / 2);
  }
  for (int j = 0; j < kNear; ++j) {
    for (int i = 0; i < kNear; ++i) {
      chebyshev[static_cast<size_t>(j)] +=
          (j == 0 ? 1.0 : 2.0) / kNear * values[static_cast<size_t>(i)] * std::cos(j * angle(i));
    }
  }
  std::array<double, kNear> before{}, now{1};  // T_{j-1} and T_j
  for (int j = 0; j < kNear; ++j) {
    std::array<double, kNear> after{};
    for (size_t q = 0; q < kNear; ++q) {
      monomials[q] += chebyshev[static_cast<size_t>(j)] * now[q];
      if (q + 1 < kNear) after[q + 1] = (j == 0 ? 1 : 2) * now[q];
    }
    for (size_t q = 0; q < kNear; ++q) after[q] -= j == 0 ? 0 : before[q];
    before = now;
    now = after;
  }
  std::transform(monomials.rbegin(), monomials.rend(), near_.begin(),
                 [](double c) { return static_cast<float>(c); });
}

double ExponentialSum::Cutoff(int groups) const {
  return kReach / static_cast<double>(rates_[static_cast<size_t>(groups * kGroup - 1)]);
}

}  // namespace riesz::cpu
