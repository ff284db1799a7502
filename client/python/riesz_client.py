#!/usr/bin/python3
"""A small client of riesz.v1 on generated stubs: upload, distance, flow, watch.

Make the stubs with `generate OUT` and put OUT on PYTHONPATH. Arrays are numpy, (n, d); they travel
as little-endian float32 in chunks of 1 MiB with a CRC32C each.
"""

from __future__ import annotations

import sys
import uuid
from typing import Iterator, Optional

import grpc
import numpy as np

from riesz.v1 import (discrepancy_service_pb2, discrepancy_service_pb2_grpc, ensemble_service_pb2,
                      ensemble_service_pb2_grpc, flow_service_pb2, flow_service_pb2_grpc,
                      particles_pb2)

_POLYNOMIAL = 0x82F63B78  # CRC32C, reflected
_TABLE = []
for _byte in range(256):
    for _ in range(8):
        _byte = _byte >> 1 ^ (_POLYNOMIAL if _byte & 1 else 0)
    _TABLE.append(_byte)


def crc32c(data: bytes, crc: int = 0) -> int:
    """CRC32C of what `crc` covers followed by `data`. Slow (about 10 MB/s): plain Python."""
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def ensemble(name: str) -> particles_pb2.Particles:
    return particles_pb2.Particles(ensemble=name)


def flow(name: str) -> particles_pb2.Particles:
    return particles_pb2.Particles(flow=particles_pb2.FlowParticles(flow=name))


class Client:
    """Errors are grpc.RpcError with the server's code and text."""

    def __init__(self, address: str = "127.0.0.1:7443") -> None:
        channel = grpc.insecure_channel(address)
        self._ensembles = ensemble_service_pb2_grpc.EnsembleServiceStub(channel)
        self._discrepancies = discrepancy_service_pb2_grpc.DiscrepancyServiceStub(channel)
        self._flows = flow_service_pb2_grpc.FlowServiceStub(channel)

    def upload(self, name: str, particles: np.ndarray) -> ensemble_service_pb2.Ensemble:
        """Makes an ensemble of an (n, d) array; other types than float32 are converted."""
        data = np.ascontiguousarray(particles, dtype="<f4")
        upload = self._ensembles.StartUpload(
            ensemble_service_pb2.StartUploadRequest(
                id=name, count=data.shape[0], dimension=data.shape[1],
                request_id=uuid.uuid4().hex)).upload
        content = data.tobytes()
        whole = 0

        def chunks() -> Iterator[ensemble_service_pb2.UploadChunksRequest]:
            nonlocal whole
            for offset in range(0, len(content), upload.max_chunk_bytes):
                chunk = content[offset:offset + upload.max_chunk_bytes]
                whole = crc32c(chunk, whole)
                yield ensemble_service_pb2.UploadChunksRequest(
                    upload_id=upload.id, offset=offset, crc32c=crc32c(chunk), data=chunk)

        self._ensembles.UploadChunks(chunks())
        return self._ensembles.FinishUpload(
            ensemble_service_pb2.FinishUploadRequest(
                upload_id=upload.id, crc32c=whole, request_id=uuid.uuid4().hex)).ensemble

    def download(self, source: particles_pb2.Particles) -> np.ndarray:
        """The particles as an (n, d) float32 array."""
        header = None
        parts = []
        for message in self._ensembles.DownloadEnsemble(
                ensemble_service_pb2.DownloadEnsembleRequest(source=source)):
            if message.HasField("header"):
                header = message.header
            if message.crc32c != crc32c(message.data):
                raise ValueError(f"chunk at offset {message.offset} is corrupt")
            parts.append(message.data)
        shape = header.resolved.count, header.resolved.dimension
        return np.frombuffer(b"".join(parts), dtype="<f4").reshape(shape)

    def distance(self, x: particles_pb2.Particles, y: particles_pb2.Particles,
                 **options) -> discrepancy_service_pb2.ComputeEnergyDistanceResponse:
        """E = 2 E|X-Y|^r - E|X-X'|^r - E|Y-Y'|^r with its errors and all that was chosen."""
        return self._discrepancies.ComputeEnergyDistance(
            discrepancy_service_pb2.ComputeEnergyDistanceRequest(x=x, y=y, **options))

    def create_flow(self, name: str, start: particles_pb2.Particles, target: str, *,
                    step_size: float = 1, momentum: float = 0, slices: int = 500,
                    seed: Optional[int] = None) -> flow_service_pb2.Flow:
        parameters = flow_service_pb2.FlowParameters(
            step_size=step_size, momentum=momentum,
            directions=particles_pb2.Directions(count=slices, seed=seed))
        return self._flows.CreateFlow(
            flow_service_pb2.CreateFlowRequest(id=name, start=start, target=target,
                                               parameters=parameters,
                                               request_id=uuid.uuid4().hex)).flow

    def advance(self, name: str, to: int) -> Iterator[flow_service_pb2.Flow]:
        """Asks for steps up to `to` and yields the flow's states until it rests."""
        self._flows.AdvanceFlow(
            flow_service_pb2.AdvanceFlowRequest(id=name, target_step=to,
                                                request_id=uuid.uuid4().hex))
        for message in self._flows.WatchFlow(
                flow_service_pb2.WatchFlowRequest(id=name, until_idle=True)):
            yield message.flow


def main() -> None:
    client = Client(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:7443")
    random = np.random.default_rng(5)
    name = uuid.uuid4().hex[:8]
    angle = random.uniform(0, 2 * np.pi, 500)
    client.upload(f"ring-{name}", np.stack([np.cos(angle), np.sin(angle)], axis=1))
    client.upload(f"start-{name}", random.normal(size=(300, 2)) * 0.1)
    client.create_flow(f"flow-{name}", ensemble(f"start-{name}"), f"ring-{name}", slices=64, seed=7)
    for state in client.advance(f"flow-{name}", 100):
        print(f"step {state.step}/{state.target_step}", end="  ")
        print(f"energy distance {state.measurement.energy_distance:.6f}")
    reply = client.distance(flow(f"flow-{name}"), ensemble(f"ring-{name}"))
    print(f"energy distance {reply.energy_distance:.6f} at step {reply.x.flow_step}")
    radius = np.linalg.norm(client.download(flow(f"flow-{name}")), axis=1)
    print(f"mean radius {radius.mean():.3f}, of the ring 1")


if __name__ == "__main__":
    main()
