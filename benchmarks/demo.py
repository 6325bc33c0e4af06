"""Runs the demo in an empty root, then again, and prints what the README quotes: times, held-out measures, accepted.

python -m benchmarks.demo [--minutes 4] [--root FOLDER]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mien import storage

MIEN = str(Path(sys.executable).with_name("mien"))


def timed_demo(root: str, minutes: float) -> tuple[float, str]:
    """Seconds that `mien demo` took, and what it printed."""
    started_s = time.monotonic()
    done = subprocess.run(
        [MIEN, "demo", "--root", root, "--minutes", str(minutes)], stdout=subprocess.PIPE, text=True, check=True
    )
    return time.monotonic() - started_s, done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--root", help="default: a temporary folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = arguments.root or folder
        first_s, told = timed_demo(root, arguments.minutes)
        again_s, _ = timed_demo(root, arguments.minutes)
        print(told)
        faces = storage.open_table(root, "faces", "demo").to_table(columns=["status"])["status"].to_pylist()
        rows = (
            storage.open_table(root, "transfers", "demo-augmented").to_table(columns=["status"])["status"].to_pylist()
        )
        print(f"faces found: {faces.count('ok')} of {len(faces)}")
        print(f"accepted: {rows.count('ok')} of {len(rows)}")
        print(f"first run: {first_s / 60:.1f} minutes, second run: {again_s:.0f} s")


if __name__ == "__main__":
    main()
