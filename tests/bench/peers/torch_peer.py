#!/usr/bin/env python3
"""What a torch user would run instead of Riesz, timed. Run by tests/bench/compare.

Reads one JSON request a line, answers with one JSON line, so that both sides can take turns while
each stays warm:

  {"op": "sliced_gradient", "n": 10000, "m": 10000, "d": 784, "slices": 1000}
  {"op": "exact_value" | "exact_gradient", "n": ..., "m": ..., "d": ...}
  {"op": ..., "x": "x.npy", "y": "y.npy", "out": "g.npy"}   with data of one's own, keeping the result
  {"op": "about"}

The answer to all but `about` is {"seconds": ...}: one call on particles that are already there.
"""

import functools
import json
import math
import os
import sys
import time

import numpy
import torch

# Slices sorted at once: three index tensors of (1000, 20000) int64 are 0.5 GB; more at once is no
# faster, and 4096 at once would take 4 GB.
SLICES_AT_ONCE = 1000


def rank_velocity(x, y):
    """N dD^2/dx of the one-dimensional functional, a row a slice: x (p, n), y (p, m) -> (p, n).

    Three sorts: all points jointly, the inverse of that order, the particles among themselves.
    """
    n, m = x.shape[1], y.shape[1]
    joint = torch.cat([x, y], dim=1).sort(dim=1).indices
    rank_of = joint.sort(dim=1).indices
    targets_so_far = (joint >= n).to(torch.float32).cumsum(dim=1)
    targets_below = targets_so_far.gather(1, rank_of[:, :n])
    particle_rank = torch.empty_like(x)
    positions = torch.arange(n, dtype=x.dtype).repeat(x.shape[0], 1)
    particle_rank.scatter_(1, x.sort(dim=1).indices, positions)
    return (2 * targets_below / m - 1) - ((2 * particle_rank + 1) / n - 1)


def sliced_gradient(x, y, slices):
    """dD^2/dx (n, d) along fresh iid directions."""
    n, d = x.shape
    constant = math.sqrt(math.pi) * math.exp(math.lgamma((d + 1) / 2) - math.lgamma(d / 2))
    total = torch.zeros_like(x)
    for first in range(0, slices, SLICES_AT_ONCE):
        directions = torch.randn(min(SLICES_AT_ONCE, slices - first), d)
        directions /= directions.norm(dim=1, keepdim=True)
        velocity = rank_velocity(directions @ x.T, directions @ y.T)
        total.addmm_(velocity.T, directions)
    return total * (constant / (slices * n))


def exact_value(x, y):
    """E (V), as a 1 x 1 tensor."""
    across = torch.cdist(x, y).mean()
    return (2 * across - torch.cdist(x, x).mean() - torch.cdist(y, y).mean()).reshape(1, 1)


def exact_gradient(x, y):
    """dD^2/dx (n, d) by autograd; the target's own term is constant."""
    particles = x.detach().requires_grad_(True)
    functional = torch.cdist(particles, y).mean() - torch.cdist(particles, particles).mean() / 2
    functional.backward()
    return particles.grad


@functools.lru_cache(maxsize=1)
def particles(n, m, d):
    generator = torch.Generator().manual_seed(n + m + d)
    return (torch.randn(n, d, generator=generator), torch.randn(m, d, generator=generator) + 0.1)


@functools.lru_cache(maxsize=1)
def stored(x, y):
    return torch.from_numpy(numpy.load(x)), torch.from_numpy(numpy.load(y))


def answer(request):
    if request["op"] == "about":
        return {"torch": torch.__version__, "threads": torch.get_num_threads()}
    x, y = (stored(request["x"], request["y"]) if "x" in request else
            particles(request["n"], request["m"], request["d"]))
    compute = {
        "sliced_gradient": lambda: sliced_gradient(x, y, request["slices"]),
        "exact_value": lambda: exact_value(x, y),
        "exact_gradient": lambda: exact_gradient(x, y),
    }[request["op"]]
    began = time.perf_counter()
    result = compute()
    seconds = time.perf_counter() - began
    if "out" in request:
        numpy.save(request["out"], result.numpy())
    return {"seconds": seconds}


def main():
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(int(os.environ.get("PEER_SEED", "0")))
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
