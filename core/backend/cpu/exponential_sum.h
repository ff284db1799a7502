// A power |t|^p as a sum of exponentials, whose sums over sorted points are one linear recurrence
// each.
//
//   |t|^p = 1/Gamma(-p) int s^(-p-1) e^(-ts) ds,   s = e^v,
//
// in the sense of analytic continuation in p: where the integral diverges at s = 0, the first terms
// of e^(-ts) are left out, which is what continuing their integrals does. The trapezoid rule in v
// with step h has a relative error of 2 |Gamma(-p + 2 pi i/h) / Gamma(-p)|, the same for every t:
// below 4e-6 at h = 0.7. Nodes below the first are summed in closed form as the cubic polynomial
// that they are on (0, 2]; the geometric sums of its coefficients are continued in p as above.
// Nodes beyond the last matter only below a cut-off, where the remainder is |t|^p minus a
// polynomial.
//
// Thread safety: immutable once made.
#pragma once

#include <array>

namespace riesz::cpu {

class ExponentialSum {
 public:
  static constexpr int kGroup = 16;     // nodes that are summed together
  static constexpr int kMinGroups = 2;  // cut-off 1e-7
  static constexpr int kMaxGroups = 8;  // rates up to 1e37: float32's range
  static constexpr int kPolynomial = 4;
  static constexpr int kNear = 13;

  // Requires -1 < power < 2, power != 0, 1.
  explicit ExponentialSum(double power);

  double power() const { return power_; }
  // s_k ascending, and their weights.
  const float* rates() const { return rates_.data(); }
  const double* weights() const { return weights_.data(); }
  // Coefficients of t^0 .. t^3.
  const double* polynomial() const { return polynomial_.data(); }

  // From here to 2, the polynomial and the first `groups` groups of nodes are |t|^p, relative error
  // 1e-5.
  double Cutoff(int groups) const;
  // Below, they are cutoff^p times the polynomial in 2 t/cutoff - 1 with these coefficients, the
  // highest power first; its error is 1e-5 of cutoff^p.
  const float* near() const { return near_.data(); }

 private:
  double power_;
  std::array<float, kGroup * kMaxGroups> rates_;
  std::array<double, kGroup * kMaxGroups> weights_;
  std::array<double, kPolynomial> polynomial_;
  std::array<float, kNear> near_;
};

}  // namespace riesz::cpu
