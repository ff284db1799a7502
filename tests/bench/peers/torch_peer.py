#!/usr/bin/env python3
"""What a torch user would run instead of Riesz, timed. Run by tests/bench/compare.

  torch_peer.py [--device cpu|cuda] [--tf32]

Reads one JSON request a line, answers with one JSON line, so that both sides can take turns while
each stays warm:

  {"op": "sliced_gradient", "n": 10000, "m": 10000, "d": 784, "slices": 1000}
  {"op": "exact_value" | "exact_gradient", "n": ..., "m": ..., "d": ...}
  {"op": ..., "x": "x.npy", "y": "y.npy", "out": "g.npy"}   with data of one's own, keeping the result
  {"op": "about"}
  {"op": "peaks"}     {"bytes_per_s", "flops"} of a large copy and a large product on this device

The answer to the others is {"seconds": ...}: one call on particles that are already there.
"""

import argparse
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
# Rows of x in one matrix of distances: 4 GB at 100,000 columns.
ROWS_AT_ONCE = 10_000
DEVICE = torch.device("cpu")


def finish():
    """Waits for what was asked of a GPU."""
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


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
    positions = torch.arange(n, dtype=x.dtype, device=x.device).repeat(x.shape[0], 1)
    particle_rank.scatter_(1, x.sort(dim=1).indices, positions)
    return (2 * targets_below / m - 1) - ((2 * particle_rank + 1) / n - 1)


def sliced_gradient(x, y, slices):
    """dD^2/dx (n, d) along fresh iid directions."""
    n, d = x.shape
    constant = math.sqrt(math.pi) * math.exp(math.lgamma((d + 1) / 2) - math.lgamma(d / 2))
    total = torch.zeros_like(x)
    for first in range(0, slices, SLICES_AT_ONCE):
        directions = torch.randn(min(SLICES_AT_ONCE, slices - first), d, device=x.device)
        directions /= directions.norm(dim=1, keepdim=True)
        velocity = rank_velocity(directions @ x.T, directions @ y.T)
        total.addmm_(velocity.T, directions)
    return total * (constant / (slices * n))


def mean_distance(x, y):
    return torch.stack([torch.cdist(rows, y).sum(dtype=torch.float64)
                        for rows in x.split(ROWS_AT_ONCE)]).sum() / (len(x) * len(y))


def exact_value(x, y):
    """E (V), as a 1 x 1 tensor."""
    across = mean_distance(x, y)
    return (2 * across - mean_distance(x, x) - mean_distance(y, y)).reshape(1, 1)


def exact_gradient(x, y):
    """dD^2/dx (n, d) by autograd; the target's own term is constant."""
    particles = x.detach().requires_grad_(True)
    functional = torch.cdist(particles, y).mean() - torch.cdist(particles, particles).mean() / 2
    functional.backward()
    return particles.grad


@functools.lru_cache(maxsize=1)
def particles(n, m, d):
    generator = torch.Generator().manual_seed(n + m + d)
    x, y = torch.randn(n, d, generator=generator), torch.randn(m, d, generator=generator) + 0.1
    return x.to(DEVICE), y.to(DEVICE)


@functools.lru_cache(maxsize=1)
def stored(x, y):
    return tuple(torch.from_numpy(numpy.load(file)).to(DEVICE) for file in (x, y))


def best_seconds(work, rounds=10):
    """The least of some rounds: what the device can do."""
    times = []
    for _ in range(rounds):
        finish()
        began = time.perf_counter()
        work()
        finish()
        times.append(time.perf_counter() - began)
    return min(times)


def peaks():
    size = 1 << 28 if DEVICE.type == "cuda" else 1 << 25  # floats
    source, target = torch.ones(size, device=DEVICE), torch.empty(size, device=DEVICE)
    edge = 8192 if DEVICE.type == "cuda" else 2048
    a, b = torch.randn(edge, edge, device=DEVICE), torch.randn(edge, edge, device=DEVICE)
    return {"bytes_per_s": 8 * size / best_seconds(lambda: target.copy_(source)),
            "flops": 2 * edge**3 / best_seconds(lambda: a @ b)}


def answer(request):
    if request["op"] == "about":
        return {"torch": torch.__version__, "threads": torch.get_num_threads(),
                "device": torch.cuda.get_device_name() if DEVICE.type == "cuda" else "cpu"}
    if request["op"] == "peaks":
        return peaks()
    x, y = (stored(request["x"], request["y"]) if "x" in request else
            particles(request["n"], request["m"], request["d"]))
    compute = {
        "sliced_gradient": lambda: sliced_gradient(x, y, request["slices"]),
        "exact_value": lambda: exact_value(x, y),
        "exact_gradient": lambda: exact_gradient(x, y),
    }[request["op"]]
    finish()
    began = time.perf_counter()
    result = compute()
    finish()
    seconds = time.perf_counter() - began
    if "out" in request:
        numpy.save(request["out"], result.cpu().numpy())
    return {"seconds": seconds}


def main():
    global DEVICE
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--tf32", action="store_true", help="products in TF32, as torch allows it")
    options = parser.parse_args()
    DEVICE = torch.device(options.device)
    torch.backends.cuda.matmul.allow_tf32 = options.tf32
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(int(os.environ.get("PEER_SEED", "0")))
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
