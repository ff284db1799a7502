"""The protocol from Python: stubs that anybody can generate, and the errors on the wire."""

import concurrent.futures
import struct

import grpc
import numpy

import oracle
from service import ServiceTest, stubs

CHUNK = 1 << 20


def crc32c(data, table=[]):
    """CRC-32C (Castagnoli)."""
    if not table:
        for byte in range(256):
            for _ in range(8):
                byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
            table.append(byte)
    value = 0xFFFFFFFF
    for byte in data:
        value = (value >> 8) ^ table[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


def fields(message):
    """[(number, value)] of one protobuf message on the wire; enough for google.rpc.Status."""
    position, found = 0, []

    def varint():
        nonlocal position
        value = shift = 0
        while True:
            byte = message[position]
            position += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while position < len(message):
        tag = varint()
        if tag & 7 == 0:
            found.append((tag >> 3, varint()))
        else:
            assert tag & 7 == 2, f"wire type {tag & 7}"
            length = varint()
            found.append((tag >> 3, message[position:position + length]))
            position += length
    return found


def error_info(error):
    """(reason, domain, metadata) of the ErrorInfo that came with an RpcError."""
    trailers = {item.key: item.value for item in error.trailing_metadata()}
    status = fields(trailers["grpc-status-details-bin"])
    code = dict(status)[1]
    assert code == error.code().value[0], "the status inside differs from the one outside"
    (detail,) = [value for number, value in status if number == 3]
    detail = dict(fields(detail))
    assert detail[1] == b"type.googleapis.com/google.rpc.ErrorInfo", detail[1]
    info = fields(detail[2])
    metadata = [dict(fields(value)) for number, value in info if number == 3]
    texts = dict(info)
    return (texts[1].decode(), texts[2].decode(),
            {entry[1].decode(): entry.get(2, b"").decode() for entry in metadata})


class Stubs(ServiceTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        modules = stubs()
        cls.particles = modules["particles_pb2"]
        cls.messages = modules["ensemble_service_pb2"]
        cls.discrepancy = modules["discrepancy_service_pb2"]
        cls.flow = modules["flow_service_pb2"]
        cls.server_messages = modules["server_service_pb2"]
        channel = grpc.insecure_channel(cls.server.address)
        cls.addClassCleanup(channel.close)
        cls.ensembles = modules["ensemble_service_pb2_grpc"].EnsembleServiceStub(channel)
        cls.distances = modules["discrepancy_service_pb2_grpc"].DiscrepancyServiceStub(channel)
        cls.flows = modules["flow_service_pb2_grpc"].FlowServiceStub(channel)
        cls.info = modules["server_service_pb2_grpc"].ServerServiceStub(channel)

    def start(self, name, content, **about):
        return self.ensembles.StartUpload(self.messages.StartUploadRequest(
            id=name, count=content.shape[0], dimension=content.shape[1], **about)).upload

    def chunks(self, upload, data, begin=0, size=CHUNK):
        for offset in range(begin, len(data), size):
            part = data[offset:offset + size]
            yield self.messages.UploadChunksRequest(upload_id=upload.id, offset=offset,
                                                    crc32c=crc32c(part), data=part)

    def upload(self, name, content):
        data = content.tobytes()
        upload = self.start(name, content)
        self.ensembles.UploadChunks(self.chunks(upload, data))
        return self.ensembles.FinishUpload(self.messages.FinishUploadRequest(
            upload_id=upload.id, crc32c=crc32c(data))).ensemble

    def operand(self, name):
        return self.particles.Particles(ensemble=name)

    def download(self, source, **rows):
        replies = self.ensembles.DownloadEnsemble(
            self.messages.DownloadEnsembleRequest(source=source, **rows))
        header = next(replies).header
        data = b""
        for reply in replies:
            self.assertEqual(reply.offset, len(data))
            self.assertEqual(reply.crc32c, crc32c(reply.data))
            self.assertLessEqual(len(reply.data), CHUNK)
            data += reply.data
        self.assertEqual(len(data), header.total_bytes)
        return numpy.frombuffer(data, numpy.float32).reshape(-1, header.resolved.dimension)

    def assert_refused(self, code, reason, call, **metadata):
        with self.assertRaises(grpc.RpcError) as refused:
            result = call()
            if not hasattr(result, "DESCRIPTOR"):
                list(result)
        error = refused.exception
        self.assertEqual(error.code(), code, error.details())
        got_reason, domain, got_metadata = error_info(error)
        self.assertEqual((got_reason, domain), (reason, "riesz.v1"), error.details())
        self.assertLessEqual(metadata.items(), got_metadata.items())
        self.info.Ping(self.server_messages.PingRequest())
        return error

    def test_crc_is_castagnoli(self):
        self.assertEqual(crc32c(b"123456789"), 0xE3069283)  # RFC 3720's check value

    def test_upload_in_chunks_comes_down_the_same(self):
        content = numpy.random.default_rng(1).normal(size=(600, 500)).astype(numpy.float32)
        ensemble = self.upload("chunked", content)
        self.assertEqual((ensemble.count, ensemble.dimension), content.shape)
        self.assertEqual(ensemble.crc32c, crc32c(content.tobytes()))
        numpy.testing.assert_array_equal(self.download(self.operand("chunked")), content)
        numpy.testing.assert_array_equal(
            self.download(self.operand("chunked"), first_row=590, row_count=7), content[590:597])

    def test_broken_upload_goes_on_where_it_stood(self):
        content = numpy.random.default_rng(2).normal(size=(100, 100)).astype(numpy.float32)
        data = content.tobytes()
        upload = self.start("resumed", content)
        first = list(self.chunks(upload, data, size=16000))[:1]
        self.ensembles.UploadChunks(iter(first))
        stands = self.ensembles.QueryUpload(
            self.messages.QueryUploadRequest(upload_id=upload.id)).upload
        self.assertEqual(stands.committed_bytes, 16000)
        self.assertEqual(stands.committed_crc32c, crc32c(data[:16000]))
        self.ensembles.UploadChunks(self.chunks(upload, data, begin=16000))
        self.ensembles.FinishUpload(self.messages.FinishUploadRequest(
            upload_id=upload.id, crc32c=crc32c(data)))
        numpy.testing.assert_array_equal(self.download(self.operand("resumed")), content)

    def test_bad_chunks_are_refused_and_the_upload_survives(self):
        content = numpy.ones((10, 10), numpy.float32)
        data = content.tobytes()
        upload = self.start("abused", content)

        def send(**changes):
            chunk = dict(upload_id=upload.id, offset=0, crc32c=crc32c(data), data=data)
            chunk.update(changes)
            return self.ensembles.UploadChunks(
                iter([self.messages.UploadChunksRequest(**chunk)]))

        self.assert_refused(grpc.StatusCode.OUT_OF_RANGE, "UPLOAD_OFFSET", lambda: send(offset=40),
                            committed_bytes="0")
        self.assert_refused(grpc.StatusCode.DATA_LOSS, "CHECKSUM", lambda: send(crc32c=1),
                            offset="0")
        self.assert_refused(grpc.StatusCode.NOT_FOUND, "NOT_FOUND",
                            lambda: send(upload_id="u-absent"))
        too_long = bytes(len(data) + 4)
        with self.assertRaises(grpc.RpcError):
            send(data=too_long, crc32c=crc32c(too_long))
        hole = bytearray(data)
        hole[4 * 37:4 * 38] = struct.pack("<f", float("nan"))
        self.assert_refused(grpc.StatusCode.INVALID_ARGUMENT, "NON_FINITE",
                            lambda: send(data=bytes(hole), crc32c=crc32c(hole)), row="3",
                            column="7")
        finish = self.messages.FinishUploadRequest(upload_id=upload.id, crc32c=crc32c(data))
        with self.assertRaises(grpc.RpcError) as early:
            self.ensembles.FinishUpload(finish)
        self.assertEqual(early.exception.code(), grpc.StatusCode.FAILED_PRECONDITION)
        send()
        self.ensembles.FinishUpload(finish)
        numpy.testing.assert_array_equal(self.download(self.operand("abused")), content)

    def test_abort_frees_the_name_and_the_memory(self):
        content = numpy.ones((10, 10), numpy.float32)
        device = lambda: self.info.GetServerInfo(
            self.server_messages.GetServerInfoRequest()).devices[0].memory_used_bytes
        before = device()
        upload = self.start("aborted", content)
        self.assertGreaterEqual(device(), before + 400)
        self.ensembles.AbortUpload(self.messages.AbortUploadRequest(upload_id=upload.id))
        self.assertEqual(device(), before)
        self.upload("aborted", content)

    def test_inline_operands_give_the_definition(self):
        random = numpy.random.default_rng(3)
        x, y = (random.normal(size=(n, 3)).astype(numpy.float32) for n in (20, 30))
        inline = lambda z: self.particles.Particles(inline_tensor=self.particles.Tensor(
            rows=z.shape[0], columns=z.shape[1], data=z.tobytes()))
        reply = self.distances.ComputeEnergyDistance(
            self.discrepancy.ComputeEnergyDistanceRequest(
                x=inline(x), y=inline(y), method=self.discrepancy.METHOD_EXACT,
                estimator=self.discrepancy.ESTIMATOR_U))
        self.assertAlmostEqual(reply.energy_distance, oracle.energy_distance(x, y, unbiased=True),
                               delta=1e-5)
        self.assertFalse(reply.HasField("slicing_standard_error"))

    def test_gradient_streams_a_summary_and_then_rows(self):
        random = numpy.random.default_rng(4)
        x, y = (random.normal(size=(n, 8)).astype(numpy.float32) for n in (50, 60))
        self.upload("gx", x)
        self.upload("gy", y)
        replies = self.distances.ComputeGradient(self.discrepancy.ComputeGradientRequest(
            x=self.operand("gx"), y=self.operand("gy"), method=self.discrepancy.METHOD_EXACT))
        summary = next(replies).summary
        data = b"".join(reply.data for reply in replies)
        self.assertEqual(summary.total_bytes, len(data))
        got = numpy.frombuffer(data, numpy.float32).reshape(50, 8)
        expected = oracle.gradient(x, y)
        numpy.testing.assert_allclose(got, expected, rtol=0, atol=1e-4 * numpy.abs(expected).max())
        rms = numpy.sqrt(((50 * expected) ** 2).sum(axis=1).mean())
        self.assertAlmostEqual(summary.rms_velocity, rms, delta=1e-4 * rms)

    def test_flow_is_watched_to_its_end_and_forked(self):
        random = numpy.random.default_rng(5)
        self.upload("fx", random.uniform(size=(20, 6)).astype(numpy.float32))
        self.upload("fy", random.normal(size=(25, 6)).astype(numpy.float32))
        frozen = self.flow.CoordinateRange(begin=0, end=2)
        self.flows.CreateFlow(self.flow.CreateFlowRequest(
            id="py", start=self.operand("fx"), target="fy",
            parameters=self.flow.FlowParameters(step_size=0.5, momentum=0.5, frozen=[frozen])))
        self.flows.AdvanceFlow(self.flow.AdvanceFlowRequest(id="py", target_step=25))
        seen = [reply.flow for reply in self.flows.WatchFlow(
            self.flow.WatchFlowRequest(id="py", until_idle=True))]
        self.assertEqual(seen[-1].step, 25)
        self.assertEqual(seen[-1].state, self.flow.FLOW_STATE_READY)
        steps = [flow.step for flow in seen]
        self.assertEqual(steps, sorted(steps))
        source = self.particles.Particles(flow=self.particles.FlowParticles(flow="py"))
        moved = self.download(source)
        start = self.download(self.operand("fx"))
        self.assertEqual(moved[:, :2].tobytes(), start[:, :2].tobytes(), "frozen coordinates moved")
        self.assertTrue((moved[:, 2:] != start[:, 2:]).any())
        # A fork has particles, velocity and step: both go on to the same bytes.
        self.flows.ForkFlow(self.flow.ForkFlowRequest(source_id="py", id="fork"))
        for name in ("py", "fork"):
            self.flows.AdvanceFlow(self.flow.AdvanceFlowRequest(id=name, target_step=40))
            for reply in self.flows.WatchFlow(
                    self.flow.WatchFlowRequest(id=name, until_idle=True)):
                last = reply.flow
            self.assertEqual(last.step, 40)
        fork = self.particles.Particles(flow=self.particles.FlowParticles(flow="fork"))
        self.assertEqual(self.download(source).tobytes(), self.download(fork).tobytes())

    def test_errors_carry_their_reason(self):
        wide = numpy.ones((4, 3), numpy.float32)
        self.upload("err", wide)
        code = grpc.StatusCode
        compare = lambda **changes: self.distances.ComputeEnergyDistance(
            self.discrepancy.ComputeEnergyDistanceRequest(
                **{"x": self.operand("err"), "y": self.operand("err"), **changes}))
        self.assert_refused(code.INVALID_ARGUMENT, "INVALID_FIELD", lambda: compare(exponent=2))
        self.assert_refused(code.NOT_FOUND, "NOT_FOUND",
                            lambda: compare(x=self.operand("absent")), id="absent")
        self.assert_refused(code.INVALID_ARGUMENT, "INVALID_FIELD",
                            lambda: compare(x=self.particles.Particles()))
        self.assert_refused(code.INVALID_ARGUMENT, "INVALID_FIELD", lambda: compare(
            method=self.discrepancy.METHOD_SLICED,
            directions=self.particles.Directions(count=-1)))
        short = self.particles.Particles(inline_tensor=self.particles.Tensor(
            rows=2, columns=2, data=bytes(15)))
        self.assert_refused(code.INVALID_ARGUMENT, "INVALID_FIELD", lambda: compare(x=short))
        self.assert_refused(code.ALREADY_EXISTS, "ALREADY_EXISTS",
                            lambda: self.start("err", wide), id="err")
        with self.assertRaises(grpc.RpcError) as huge:
            self.ensembles.StartUpload(self.messages.StartUploadRequest(
                id="huge", count=2**20, dimension=2**20))
        self.assertEqual(huge.exception.code(), code.RESOURCE_EXHAUSTED)
        reason, _, metadata = error_info(huge.exception)
        self.assertEqual(reason, "MEMORY")
        self.assertEqual(metadata["wanted_bytes"], str(2**42))

    def test_repeated_request_id_returns_the_first_answer(self):
        request = self.messages.CreateEnsembleRequest(
            id="once", request_id="r-1", generator=self.messages.Generator(
                distribution=self.messages.Generator.DISTRIBUTION_NORMAL, count=5, dimension=2))
        first = self.ensembles.CreateEnsemble(request)
        self.assertEqual(self.ensembles.CreateEnsemble(request), first)
        request.generator.count = 6
        self.assert_refused(grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED",
                            lambda: self.ensembles.CreateEnsemble(request))

    def test_deadline_ends_a_long_computation(self):
        self.ensembles.CreateEnsemble(self.messages.CreateEnsembleRequest(
            id="many", generator=self.messages.Generator(
                distribution=self.messages.Generator.DISTRIBUTION_NORMAL, count=100000,
                dimension=200)))
        request = self.discrepancy.ComputeEnergyDistanceRequest(
            x=self.operand("many"), y=self.operand("many"), method=self.discrepancy.METHOD_EXACT)
        with self.assertRaises(grpc.RpcError) as ended:
            self.distances.ComputeEnergyDistance(request, timeout=0.3)
        self.assertEqual(ended.exception.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
        # The device is free again: a small computation is answered, not queued behind the long one.
        self.distances.ComputeEnergyDistance(self.discrepancy.ComputeEnergyDistanceRequest(
            x=self.operand("small-after"), y=self.operand("small-after"))
            if self.upload("small-after", numpy.ones((3, 2), numpy.float32)) else None, timeout=60)

    def test_lists_are_paged_in_order(self):
        for i in range(5):
            self.upload(f"page-{i}", numpy.ones((1, 1), numpy.float32))
        names, token = [], ""
        while True:
            page = self.ensembles.ListEnsembles(self.messages.ListEnsemblesRequest(
                page_size=2, page_token=token))
            self.assertLessEqual(len(page.ensembles), 2)
            names += [ensemble.id for ensemble in page.ensembles]
            token = page.next_page_token
            if not token:
                break
        self.assertEqual(names, sorted(set(names)))
        self.assertLessEqual({f"page-{i}" for i in range(5)}, set(names))

    def test_many_callers_at_once_get_their_own_answers(self):
        random = numpy.random.default_rng(6)
        samples = [random.normal(size=(50, 4)).astype(numpy.float32) + i for i in range(8)]
        for i, sample in enumerate(samples):
            self.upload(f"caller-{i}", sample)

        def ask(i):
            return self.distances.ComputeEnergyDistance(
                self.discrepancy.ComputeEnergyDistanceRequest(
                    x=self.operand("caller-0"), y=self.operand(f"caller-{i}"),
                    method=self.discrepancy.METHOD_EXACT)).energy_distance

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, [i % 8 for i in range(64)]))
        for i, answer in enumerate(answers):
            self.assertAlmostEqual(answer, oracle.energy_distance(samples[0], samples[i % 8]),
                                   delta=2e-4)
