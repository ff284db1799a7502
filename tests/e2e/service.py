"""The real rieszd and riesz, as a test holds them.

A ServiceTest has one server per class, on a port of its own and gone with the class: every process
is ended by its own handle. Wire access goes through stubs generated from proto/ for this run.
"""

import atexit
import ctypes
import enum
import functools
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA_SETS = "/usr/share/datasets"
# ctest says which build; by hand it is the release.
RIESZD = os.environ.get("TESTED_RIESZD", str(ROOT / "build/release/server/rieszd"))
RIESZ = os.environ.get("TESTED_RIESZ", str(ROOT / "build/release/client/cli/riesz"))


class EXIT(enum.IntEnum):
    """Exit codes of riesz (client/cli/exit_code.h)."""

    INVALID = 2
    NOT_FOUND = 3
    STATE = 4
    EXHAUSTED = 5
    UNAVAILABLE = 6
    STOPPED = 7
    DATA_LOSS = 8
    INTERNAL = 9
    LOCAL_FILE = 10
    INTERRUPTED = 130


# Nothing here takes a second; a sanitizer build on a busy machine may take many.
PATIENCE_S = 60


def environment(**extra):
    """This process's environment without RIESZ_*, which the binaries read."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RIESZ_")}
    return {**clean, **extra}


def end_with_parent():
    """Ends a child when this process dies, even by SIGKILL (PR_SET_PDEATHSIG, prctl(2))."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class Server:
    """A running rieszd; `log` is what it has written to stderr so far."""

    def __init__(self, *flags, listen="127.0.0.1:0", threads=2):
        self.folder = tempfile.TemporaryDirectory(prefix="riesz-e2e-")
        self.command = [
            RIESZD, "--listen", listen, "--metrics-listen", "127.0.0.1:0",
            "--data-dir", DATA_SETS, "--state-dir", self.folder.name, "--threads", str(threads),
            *flags]
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, env=environment(), preexec_fn=end_with_parent)
        self.lines = []
        self.arrived = threading.Condition()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.address = self._announced(r"riesz.*listening on (127\.0\.0\.1:\d+)")
        self.metrics_address = self._announced(r"metrics on (?:http://)?(127\.0\.0\.1:\d+)")

    def _read(self):
        for line in self.process.stdout:
            with self.arrived:
                self.lines.append(line)
                self.arrived.notify_all()
        with self.arrived:
            self.lines.append(None)
            self.arrived.notify_all()

    def _announced(self, pattern):
        def found():
            return next((m.group(1) for line in self.lines if line
                         for m in [re.search(pattern, line)] if m), None)

        with self.arrived:
            self.arrived.wait_for(lambda: found() or None in self.lines, PATIENCE_S)
            if not found():
                self.process.kill()
                raise AssertionError(f"no line like {pattern!r} from rieszd:\n{self.log}")
            return found()

    @property
    def log(self):
        return "".join(line for line in self.lines if line)

    def alive(self):
        return self.process.poll() is None

    def metrics(self):
        """{series: value}, e.g. {'riesz_ensembles': 3.0}."""
        with urllib.request.urlopen(f"http://{self.metrics_address}/metrics", timeout=10) as reply:
            lines = reply.read().decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {series: float(value) for series, value in pairs}

    def terminate(self):
        """Sends SIGTERM and waits; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE_S)
        finally:
            self.reader.join(5)

    def stop(self):
        try:
            if self.alive():
                self.terminate()
        finally:
            if self.alive():
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()
            self.folder.cleanup()


class ServiceTest(unittest.TestCase):
    """One server for the class; `self.riesz(...)` runs the command line against it."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.stop)
        folder = tempfile.TemporaryDirectory(prefix="riesz-e2e-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)

    def run_riesz(self, *arguments, server=None, **options):
        """The finished process, whatever its exit status."""
        address = (server or self.server).address
        return subprocess.run(
            [RIESZ, "--server", address, *map(str, arguments)], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, cwd=self.folder, env=environment(),
            timeout=PATIENCE_S, **options)

    def riesz(self, *arguments, **options):
        """Standard output of a command that must succeed."""
        done = self.run_riesz(*arguments, **options)
        self.assertEqual(done.returncode, 0, f"riesz {arguments}: {done.stderr}{done.stdout}")
        return done.stdout

    def riesz_json(self, *arguments, **options):
        return json.loads(self.riesz(*arguments, "-o", "json", **options))

    def start_riesz(self, *arguments):
        """A command under way, both outputs in one, ended with the test."""
        process = subprocess.Popen(
            [RIESZ, "--server", self.server.address, *map(str, arguments)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            cwd=self.folder, env=environment())

        def end():
            if process.poll() is None:
                process.kill()
            process.communicate()

        self.addCleanup(end)
        return process

    def assert_refused(self, done, exit_code, *words):
        """A clear error: the class's exit code, the words, one line, nothing on stdout."""
        said = done.stderr
        self.assertEqual(done.returncode, exit_code, said + done.stdout)
        self.assertEqual(done.stdout, "")
        for word in words:
            self.assertIn(word, said)

    def assert_server_lives(self):
        self.assertTrue(self.server.alive(), self.server.log)
        self.riesz("health")


def wait_until(condition, what):
    """Polls; the last resort where nothing announces the event."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {PATIENCE_S} s in vain: {what}")
        time.sleep(0.01)


@functools.cache
def stubs():
    """The generated modules, {name: module}: `particles_pb2`, `flow_service_pb2_grpc`, ...

    By protoc and gRPC's own Python plugin: grpc_tools in Debian 12 is from 2018 and does not know
    `optional`.
    """
    import importlib

    folder = tempfile.TemporaryDirectory(prefix="riesz-stubs-")
    atexit.register(folder.cleanup)
    protos = sorted(str(path.relative_to(ROOT / "proto"))
                    for path in (ROOT / "proto").rglob("*.proto"))
    subprocess.run(
        ["protoc", f"--proto_path={ROOT / 'proto'}", f"--python_out={folder.name}",
         f"--grpc_out={folder.name}", "--plugin=protoc-gen-grpc=/usr/bin/grpc_python_plugin",
         *protos], check=True)
    sys.path.insert(0, folder.name)
    stems = [pathlib.PurePath(proto).stem for proto in protos]
    return {f"{stem}{kind}": importlib.import_module(f"riesz.v1.{stem}{kind}")
            for stem in stems for kind in ("_pb2", "_pb2_grpc")}


def free_port():
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
