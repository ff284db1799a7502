#!/usr/bin/python3
"""Writes golden.txt: energy distances and gradients by numpy and scipy in float64.

  /usr/bin/python3 tests/golden/make_golden.py > tests/golden/golden.txt

Values of one dimension at r = 1 are scipy.stats.energy_distance squared (scipy returns the root);
all others are sums over scipy.spatial.distance.cdist, and the two are compared where both apply.
Gradients are the formula's in float64, checked here against central differences of the value. No
line of Riesz is involved. Inputs are rounded to float32 first, so that both sides see the same
numbers; they are written with nine digits, which is exact.

Format, one record a line, fields separated by blanks:
  case NAME n m d          starts a case
  x <n * d floats>         particles, row-major
  y <m * d floats>         targets
  exact v|u R VALUE        energy distance of exponent R, estimator V or U
  gradient R <n * d>       n * dD^2/dx, D^2 = E / 2 (V), row-major
"""
import sys

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import energy_distance

EXPONENTS = (0.1, 0.5, 1.0, 1.5, 1.9)


def distance(x, y, r, unbiased):
    n, m = len(x), len(y)
    left_out = 1 if unbiased else 0
    return (2 * np.sum(cdist(x, y) ** r) / (n * m)
            - np.sum(cdist(x, x) ** r) / (n * (n - left_out))
            - np.sum(cdist(y, y) ** r) / (m * (m - left_out)))


def velocity(x, y, r):
    """n * grad of E/2: mean over y minus mean over x of r |t|^(r-2) t; 0 where t = 0."""
    def mean(others):
        t = x[:, None, :] - others[None, :, :]
        length = np.sqrt(np.sum(t * t, axis=2))
        with np.errstate(divide="ignore"):
            weight = np.where(length > 0, r * length ** (r - 2), 0)
        return np.mean(weight[:, :, None] * t, axis=1)
    return mean(y) - mean(x)


def check_derivative(x, y, r, g):
    """Central differences at two steps, extrapolated: agrees to 1e-5 of the largest component."""
    if len(np.unique(np.vstack((x, y)), axis=0)) < len(x) + len(y):
        return  # no derivative at coinciding points
    def central(h, i, k):
        forward, backward = x.copy(), x.copy()
        forward[i, k] += h
        backward[i, k] -= h
        return len(x) * (distance(forward, y, r, False) - distance(backward, y, r, False)) / (4 * h)
    # Well below the closest pair, so that the kernel's kink stays out.
    everything = np.vstack((x, y))
    gaps = cdist(everything, everything)
    np.fill_diagonal(gaps, np.inf)
    h = 1e-3 * gaps.min()
    for i, k in [(0, 0), (len(x) - 1, x.shape[1] - 1), (len(x) // 2, 0)]:
        fine, coarse = central(h / 2, i, k), central(h, i, k)
        numeric = (4 * fine - coarse) / 3
        assert abs(numeric - g[i, k]) <= 1e-5 * np.abs(g).max() + 1e-6, (r, i, k, numeric, g[i, k])


def floats(a):
    return " ".join(f"{v:.9g}" for v in np.ravel(a))


def doubles(a):
    return " ".join(f"{v:.15g}" for v in np.ravel(a))


def cases():
    rng = np.random.default_rng(20261123)
    yield "one-dimension", rng.normal(size=(17, 1)), rng.normal(0.5, 2, size=(23, 1))
    yield "ties", rng.integers(0, 5, size=(19, 1)), rng.integers(0, 7, size=(13, 1))
    yield "equal", *(2 * (rng.normal(size=(9, 2)),))
    yield "plane", rng.normal(size=(12, 2)), rng.uniform(-1, 3, size=(15, 2))
    yield "ties-in-the-plane", rng.integers(0, 2, size=(10, 2)), rng.integers(0, 3, size=(14, 2))
    yield "space", rng.normal(size=(21, 3)), rng.exponential(size=(16, 3))
    yield "offset", 1000 + rng.normal(size=(8, 5)), 1000 + 0.5 * rng.normal(size=(11, 5))
    yield "pixels", rng.uniform(size=(6, 64)), np.round(rng.beta(0.3, 0.6, size=(7, 64)) * 255) / 255
    yield "pair", np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]])


def main():
    print("# Written by make_golden.py with numpy", np.__version__)
    for name, x, y in cases():
        x = np.asarray(x, np.float32).astype(np.float64)
        y = np.asarray(y, np.float32).astype(np.float64)
        print("case", name, len(x), len(y), x.shape[1])
        print("x", floats(x))
        print("y", floats(y))
        for r in EXPONENTS:
            value = distance(x, y, r, False)
            if x.shape[1] == 1 and r == 1:
                scipy_value = energy_distance(x[:, 0], y[:, 0]) ** 2
                assert abs(scipy_value - value) < 1e-12
                value = scipy_value
            print("exact v", r, doubles(value))
            if len(x) > 1 and len(y) > 1:
                print("exact u", r, doubles(distance(x, y, r, True)))
            g = velocity(x, y, r)
            check_derivative(x, y, r, g)
            print("gradient", r, doubles(g))


if __name__ == "__main__":
    sys.exit(main())
