"""Who races: the processes behind each side, kept warm between turns."""

import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEER = pathlib.Path(__file__).resolve().parent / "peers" / "torch_peer.py"


class Torch:
    """A torch that answers requests one at a time (peers/torch_peer.py)."""

    def __init__(self, python, device="cpu", tf32=False):
        command = [python, PEER, "--device", device, *(["--tf32"] if tf32 else [])]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        about = self.ask(op="about")
        where = f"{about['threads']} threads" if device == "cpu" else about["device"]
        self.name = f"torch {about['torch']}, {where}"

    def ask(self, **request):
        print(json.dumps(request), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the peer ended with {self.process.wait()} at {request}")
        return json.loads(line)

    def seconds(self, operation, **shape):
        return self.ask(op=operation, **shape)["seconds"]

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)


def newest_torch():
    """A Python with the registry's newest torch, made once in build/tools/newest-torch.

    All of it: its CPU part does not load without the CUDA libraries that the wheel depends on, and on
    a GPU it is the peer.
    """
    folder = ROOT / "build/tools/newest-torch"
    python = folder / "bin/python"
    ready = folder / "ready"
    if not ready.exists():
        print("installing the newest torch into build/tools/newest-torch (5 GB) ...", flush=True)
        subprocess.run(["/usr/bin/python3", "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "torch", "numpy"], check=True)
        subprocess.run([python, "-c", "import torch"], check=True)
        ready.touch()
    return python


class Ours:
    """riesz_bench_core: our operations in process. Each run warms up before it measures."""

    OPERATIONS = {"sliced_gradient": "sliced", "sliced_value": "sliced-value",
                  "exact_value": "exact-value", "exact_gradient": "exact-gradient"}

    def __init__(self, build, device="cpu", precision="fp32"):
        self.device = ["--device", device, "--matrix-precision", precision]
        self.environment = dict(os.environ)
        self.environment.setdefault("RIESZ_CUDA_LIBRARY", str(build / "server/libriesz_cuda.so"))
        self.binary = build / "tests/bench/riesz_bench_core"
        if not self.binary.exists():
            raise SystemExit(f"{self.binary} is not there; build it: "
                             "cmake --preset release && cmake --build --preset release")

    def run(self, operation, slices=None, n=None, m=None, d=None, **options):
        """The JSON that it prints, for one measured call."""
        sizes = [n, m, d] if n else []
        sizes += [slices] if slices else []
        if d == 2:
            options.setdefault("directions", "low-discrepancy")  # the service's default there
        flags = [word for name, value in options.items() for word in (f"--{name}", value)]
        command = [self.binary, self.OPERATIONS[operation], *sizes, "--repeats", 1,
                   *self.device, *flags]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True,
                              env=self.environment)
        if done.returncode != 0:
            raise SystemExit(done.stderr.strip())
        return json.loads(done.stdout)

    def seconds(self, operation, **shape):
        return self.run(operation, **shape)["median_s"]
