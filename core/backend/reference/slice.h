// The one-dimensional problem of one slice, in double: at r = 1 by sorting, else over all pairs.
//
// Ties are projections that are equal in double. They are not rounded to float32 first: far from
// the origin that would tie points which are not the same. Equal rows tie, because a projection is
// one sum in one order; a backend that projects in float32 must see to the same.
//
// Thread safety: the functions are pure.
#pragma once

#include <vector>

#include "core/matrix.h"

namespace riesz::reference {

// <row_i, direction> for every row, (rows).
std::vector<double> Project(MatrixView rows, const float* direction);

// Integrals over one slice of projections x and y, with empirical distribution functions F and G.
struct SliceIntegrals {
  double energy_distance = 0;  // 2 int (F - G)^2: the V-statistic
  double x_spread = 0;         // int F (1 - F) = E|X - X'| / 2
  double y_spread = 0;         // int G (1 - G)
};
SliceIntegrals Integrate(std::vector<double> x, std::vector<double> y);

// h_i = N dD^2/dx_i = (2 cy_i - M)/M - (2 cx_i - N)/N, where cy_i counts the y below x_i and half
// of those equal to it, cx_i the same among x, itself included.
std::vector<double> Velocities(const std::vector<double>& x, std::vector<double> y);

// The same at any 0 < r < 2, as means of |.|^r over all pairs; the spreads are E|X - X'|^r / 2 and
// E|Y - Y'|^r / 2.
SliceIntegrals IntegratePower(const std::vector<double>& x, const std::vector<double>& y,
                              double exponent);

// h_i = mean_j r sign(x_i - y_j) |x_i - y_j|^(r-1) minus the same over x; ties contribute 0.
std::vector<double> PowerVelocities(const std::vector<double>& x, const std::vector<double>& y,
                                    double exponent);

}  // namespace riesz::reference
