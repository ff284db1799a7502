"""What the way through gRPC costs, on loopback, with state in memory."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import grpc

from report import Row, Sample

ROOT = pathlib.Path(__file__).resolve().parents[2]


class OverGrpc:
    """A rieszd of the build, for as long as the `with` lasts."""

    def __init__(self, build, ours, rounds):
        self.build, self.ours, self.rounds = build, ours, rounds

    def __enter__(self):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("RIESZ_")}
        self.server = subprocess.Popen(
            [self.build / "server/rieszd", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, env=environment)
        self.address = re.search(r"listening on (\S+)", self.server.stdout.readline()).group(1)
        return self

    def __exit__(self, *error):
        self.server.terminate()
        self.server.communicate(timeout=60)

    def transfers_and_pings(self):
        done = subprocess.run([self.build / "tests/bench/riesz_bench_rpc", self.address],
                              stdout=subprocess.PIPE, text=True, check=True)
        figures = {}
        for line in done.stdout.splitlines():
            figures.update({key: json.loads(line) for key in json.loads(line)})

        def row(case, key, unit, bar):
            line = figures[key]
            return Row(case, value=line[key], unit=unit, bar=bar,
                       note=f"{line['least']:.4g} to {line['greatest']:.4g}")

        yield row("rpc-upload", "upload_gb_per_s", "GB/s", 2.5)
        yield row("rpc-download", "download_gb_per_s", "GB/s", 2.5)
        yield row("rpc-pings", "pings_per_s", "calls/s", 40000)
        latency = figures["ping_ms_median"]
        yield Row("rpc-ping-latency", value=latency["ping_ms_median"], unit="ms",
                  note=f"p99 {latency['ping_ms_p99']} ms")

    def stubs(self):
        """(messages of the discrepancy, ensemble and particles files, the two stubs)."""
        self.generated = tempfile.TemporaryDirectory(prefix="riesz-stubs-")
        folder = self.generated.name
        protos = [str(path.relative_to(ROOT / "proto"))
                  for path in (ROOT / "proto").rglob("*.proto")]
        subprocess.run(["protoc", f"--proto_path={ROOT / 'proto'}", f"--python_out={folder}",
                        f"--grpc_out={folder}",
                        "--plugin=protoc-gen-grpc=/usr/bin/grpc_python_plugin", *protos],
                       check=True)
        sys.path.insert(0, folder)
        from riesz.v1 import (discrepancy_service_pb2, discrepancy_service_pb2_grpc,
                              ensemble_service_pb2, ensemble_service_pb2_grpc, particles_pb2)
        channel = grpc.insecure_channel(self.address)
        return (discrepancy_service_pb2, ensemble_service_pb2, particles_pb2,
                discrepancy_service_pb2_grpc.DiscrepancyServiceStub(channel),
                ensemble_service_pb2_grpc.EnsembleServiceStub(channel))

    def overheads(self):
        """A sliced value through gRPC (Python's client included) against the same in process."""
        discrepancy, ensembles, particles, distances, store = self.stubs()
        for n, d, slices in [(1000, 64, 100), (10000, 784, 1000)]:
            for name, mean in (("x", 0), ("y", 0.1)):
                store.CreateEnsemble(ensembles.CreateEnsembleRequest(
                    id=f"{name}-{n}", generator=ensembles.Generator(
                        distribution=ensembles.Generator.DISTRIBUTION_NORMAL, count=n, dimension=d,
                        seed=1, mean=mean)))
            operand = lambda name: particles.Particles(ensemble=f"{name}-{n}")
            mine, through = Sample(), Sample()
            calls = 20 if n <= 1000 else 1
            for turn in range(-1, self.rounds):
                for call in range(calls):
                    request = discrepancy.ComputeEnergyDistanceRequest(
                        x=operand("x"), y=operand("y"), method=discrepancy.METHOD_SLICED,
                        directions=particles.Directions(
                            kind=particles.DIRECTION_KIND_ORTHOGONAL, count=slices,
                            seed=100 * turn + call + 200))
                    began = time.perf_counter()
                    distances.ComputeEnergyDistance(request)
                    if turn >= 0:
                        through.append(time.perf_counter() - began)
                if turn >= 0:
                    mine.append(self.ours.seconds("sliced_value", n=n, m=n, d=d, slices=slices))
            extra = (through.median - mine.median) * 1e3
            allowed = max(0.3, 0.02 * mine.median * 1e3)
            yield Row(f"rpc-overhead-{n}-{d}-{slices}", value=extra, unit="ms", bar=allowed,
                      at_most=True, note=f"in process {mine}, through gRPC {through}")
