"""What was measured, and how it is told."""

import dataclasses
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Sample(list):
    """Seconds of repeated runs."""

    @property
    def median(self):
        return statistics.median(self)

    def __str__(self):
        return f"{duration(self.median)} ({duration(min(self))} to {duration(max(self))})"


def duration(seconds):
    if seconds < 1e-3:
        return f"{seconds * 1e6:.3g} us"
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


@dataclasses.dataclass
class Row:
    """One line: a race (with a peer) or a figure (a value with a unit)."""

    case: str
    ours: Sample = None
    peer: str = ""
    peers: Sample = None
    value: float = None
    unit: str = ""
    bar: float = None
    at_most: bool = False  # the bar is an upper bound
    note: str = ""

    @property
    def figure(self):
        return self.peers.median / self.ours.median if self.peers else self.value

    @property
    def verdict(self):
        if self.bar is None:
            return "reported"
        met = self.figure <= self.bar if self.at_most else self.figure >= self.bar
        return "met" if met else "MISSED"

    def json(self):
        if self.peers:
            fields = {"case": self.case, "ours_s": self.ours.median, "peer": self.peer,
                      "peer_s": self.peers.median, "ratio": self.figure}
        else:
            fields = {"case": self.case, "value": self.value, "unit": self.unit}
        return json.dumps(fields)

    def cells(self):
        unit = "x" if self.peers else f" {self.unit}"
        bar = "" if self.bar is None else f"{'<=' if self.at_most else '>='} {self.bar:g}{unit}"
        return [self.case, str(self.ours or ""), self.peer, str(self.peers or ""),
                f"{self.figure:.3g}{unit}", bar, self.verdict, self.note]


class Report:
    """Prints rows: JSON as they come, or a table in Markdown at the end."""

    HEADING = ["case", "ours", "peer", "peer's", "result", "bar", "verdict", "note"]

    def __init__(self, as_json):
        self.as_json = as_json
        self.rows = []

    def add(self, row):
        self.rows.append(row)
        if self.as_json:
            print(row.json(), flush=True)

    def print_table(self):
        table = [self.HEADING] + [row.cells() for row in self.rows]
        widths = [max(len(row[i]) for row in table) for i in range(len(self.HEADING))]
        lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |"
                 for row in table]
        lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
        print("\n".join(lines))


def command_line(*command):
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    return done.stdout.strip() if done.returncode == 0 else ""


def hardware():
    """What a reader needs to place the figures."""
    cpuinfo = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", cpuinfo)
    vectors = [flag for flag in ("avx2", "avx512f") if re.search(rf"\b{flag}\b", cpuinfo)]
    commit = command_line("git", "rev-parse", "--short", "HEAD")
    changed = " with local changes" if command_line("git", "status", "--porcelain") else ""
    return (f"{model.group(1) if model else platform.machine()}, "
            f"{len(os.sched_getaffinity(0))} cores, {' '.join(vectors) or 'no AVX2'}; "
            f"load before the run {os.getloadavg()[0]:.2f}; commit {commit}{changed}")
