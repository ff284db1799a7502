"""Energy distances and flows in numpy float64, straight from their definitions."""

import numpy
from scipy.spatial.distance import cdist


def energy_distance(x, y, exponent=1.0, unbiased=False):
    """E = 2 E|X-Y|^r - E|X-X'|^r - E|Y-Y'|^r."""
    x, y = x.astype(numpy.float64), y.astype(numpy.float64)
    n, m = len(x), len(y)
    pairs_x, pairs_y = (n * (n - 1), m * (m - 1)) if unbiased else (n * n, m * m)
    return (2 * (cdist(x, y) ** exponent).mean() - (cdist(x, x) ** exponent).sum() / pairs_x -
            (cdist(y, y) ** exponent).sum() / pairs_y)


def gradient(x, y, exponent=1.0):
    """Rows dD^2/dx_i of D^2 = E/2 (V); a pair at distance 0 contributes nothing."""
    x, y = x.astype(numpy.float64), y.astype(numpy.float64)
    n, m = len(x), len(y)

    def pull(towards):
        difference = x[:, None, :] - towards[None, :, :]
        distance = numpy.linalg.norm(difference, axis=2, keepdims=True)
        power = numpy.where(distance > 0, distance, 1.0) ** (exponent - 2)
        return (exponent * power * difference).sum(axis=1)

    return pull(y) / (n * m) - pull(x) / (n * n)


def flow(x, y, steps, step_size, momentum, exponent=1.0):
    """Particles after the flow along exact gradients (in one dimension: along any slicing)."""
    x = x.astype(numpy.float64)
    velocity = numpy.zeros_like(x)
    for _ in range(steps):
        velocity = gradient(x, y, exponent) + momentum * velocity
        x = x - step_size * len(x) * velocity
    return x
