// The one-dimensional problem of one slice at r = 1, in double.
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

}  // namespace riesz::reference
