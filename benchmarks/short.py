"""All benchmarks in a short form, one after another, and a page of what they printed.

python -m benchmarks.short [--only NAME …] [--photos FOLDER] [--root ROOT --set SET …] [--out build/bench.md]

Those that make what they measure run always. Those that need photos run with `--photos`, those that need prepared sets
with `--root` and `--set`; the page names what was left out, and why. The figures are of short runs, on a machine that
may have had other work: ratios within one benchmark say something, single times little. A benchmark that fails or takes
longer than `--limit` seconds is told on the page, and the command ends with 1.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

LIBRARIES = ("torch", "numpy", "opencv-python", "pyarrow", "prefect", "mlflow", "onnxruntime")

Needs = tuple[str, ...]
SELF_MADE: Needs = ()


@dataclass(frozen=True)
class Short:
    """A benchmark in its short form."""

    module: str
    arguments: tuple[str, ...] = ()
    needs: Needs = SELF_MADE
    """What of the arguments of this command it takes: photos, root, sets."""


BENCHMARKS = (
    Short("faces", ("--photos", "100")),
    Short("prepare", ("--photos", "128", "--rounds", "1")),
    Short("planning", ("--faces", "100000", "--pairs", "1000000")),
    Short("grown_plan", ("--photos", "200")),
    Short("listing", ("--files", "20000")),
    Short("manifests", ("--shards", "10000")),
    Short("gallery", ("--rows", "2000")),
    Short("leases", ("--on", "local", "--shards", "40", "--seconds", "0.2", "--alone", "1")),
    Short("executors", ("--shards", "10", "--seconds", "0.3")),
    Short("damage", ("--flips", "40")),
    Short("kills", ("--kills", "3", "--on", "local")),
    Short("transfer", ("--pairs", "32", "--rounds", "1", "--shards", "40")),
    Short("train", ("--people", "8", "--size", "64", "--batch", "2", "--rounds", "1")),
    Short("streaming", ("--faces", "2000", "--resident", "1000", "--moves", "4")),
    Short("week", ("--nights", "2", "--steps", "10")),
    Short("landmarks", (), ("photos",)),
    Short("watermark", (), ("photos",)),
    Short("people", ("--photos", "400"), ("root", "sets")),
    Short("retargeting", ("--pairs", "200"), ("root", "sets")),
    Short("looks", (), ("root", "sets")),
    Short("source_choice", ("--targets", "20"), ("root", "sets")),
    Short("judged", ("--pairs", "20", "--shut", "10"), ("root", "sets")),
)
ONLY_BY_HAND = {
    "ceilings": "needs a root of benchmarks.quality",
    "demo": "takes 15 minutes: it is `mien demo`, timed",
    "detectors": "needs marked landmarks",
    "experiments": "takes hours; its own short form a quarter of an hour",
    "figures": "draws the documentation",
    "gate": "needs a root with a generator",
    "head_pose": "needs marked landmarks",
    "heatmap_forms": "trains for 20 minutes",
    "overnight": "takes hours",
    "quality": "takes an hour",
    "serving": "needs a generator",
    "video_readers": "needs videos",
}
"""Benchmarks without a short form."""


@dataclass(frozen=True)
class Ran:
    """What came of one."""

    command: str
    code: int | None
    """Exit code; None if it took too long."""
    seconds: float
    printed: str


def commands(asked: argparse.Namespace) -> Iterator[tuple[Short, list[str]]]:
    """Each benchmark that can run, with its arguments."""
    for each in BENCHMARKS:
        if asked.only and each.module not in asked.only:
            continue
        given: list[str] = []
        if "photos" in each.needs:
            if not asked.photos:
                continue
            given += ["--photos", asked.photos] if each.module == "watermark" else [asked.photos]
        if "root" in each.needs:
            if not (asked.root and asked.sets):
                continue
            given += ["--root", asked.root, *(part for name in asked.sets for part in ("--set", name))]
        yield each, [*given, *each.arguments]


def left_out(asked: argparse.Namespace) -> Iterator[str]:
    """A line on each that does not run."""
    running = {each.module for each, _ in commands(asked)}
    for each in BENCHMARKS:
        if each.module not in running and not asked.only:
            yield f"{each.module}: needs --photos" if "photos" in each.needs else f"{each.module}: needs --root, --set"
    yield from () if asked.only else (f"{name}: {why}" for name, why in ONLY_BY_HAND.items())


def run(module: str, arguments: Sequence[str], limit_s: float) -> Ran:
    """Runs one in a process of its own."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    began = time.monotonic()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s)
    except subprocess.TimeoutExpired as error:
        printed = (error.stdout or b"").decode(errors="replace")
        return Ran(" ".join(command[1:]), None, time.monotonic() - began, printed)
    seconds = time.monotonic() - began
    printed = done.stdout if done.returncode == 0 else f"{done.stdout}\n{done.stderr[-2000:]}"
    return Ran(" ".join(command[1:]), done.returncode, seconds, printed)


def machine() -> list[str]:
    """Lines on what the figures were measured on."""
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    processor = names[0].partition(":")[2].strip() if names else platform.processor()
    cores = len(os.sched_getaffinity(0))
    memory = psutil.virtual_memory().total / 2**30
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return [
        f"{processor}, {cores} cores, {memory:.0f} GiB; load {os.getloadavg()[0]:.1f} when it began",
        f"Python {platform.python_version()}, mien {version('mien')}, {libraries}",
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    ]


def page(about: Sequence[str], ran: Sequence[Ran], without: Sequence[str]) -> str:
    """In Markdown."""
    lines = ["# Benchmarks, short form", "", *(f"- {line}" for line in about), ""]
    lines += ["| benchmark | seconds | |", "|---|---|---|"]
    for each in ran:
        state = "" if each.code == 0 else "took too long" if each.code is None else f"ended with {each.code}"
        lines.append(f"| `{each.command}` | {each.seconds:.0f} | {state} |")
    for each in ran:
        lines += ["", f"## {each.command}", "", "```", each.printed.strip(), "```"]
    if without:
        lines += ["", "## Left out", "", *(f"- {line}" for line in without)]
    return "\n".join([*lines, ""])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=[each.module for each in BENCHMARKS])
    parser.add_argument("--photos", help="folder of photos")
    parser.add_argument("--root")
    parser.add_argument("--set", dest="sets", action="append")
    parser.add_argument("--limit", type=float, default=600, help="seconds for each")
    parser.add_argument("--out", type=Path, default=Path("build/bench.md"))
    asked = parser.parse_args()
    about, ran = machine(), list[Ran]()
    for each, arguments in commands(asked):
        print(f"{each.module} {' '.join(arguments)}", end=": ", flush=True)
        ran.append(run(each.module, arguments, asked.limit))
        state = "" if ran[-1].code == 0 else " FAILED" if ran[-1].code is not None else " TOOK TOO LONG"
        print(f"{ran[-1].seconds:.0f} s{state}", flush=True)
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        asked.out.write_text(page(about, ran, list(left_out(asked))))
    print(asked.out)
    return 0 if all(each.code == 0 for each in ran) else 1


if __name__ == "__main__":
    sys.exit(main())
