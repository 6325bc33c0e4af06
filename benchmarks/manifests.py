"""What a table of many shards takes: to commit it, to read its list, to open it, and how large the list is.

python -m benchmarks.manifests [--shards 10000 --shards 100000 --shards 1000000]

The shards are made up, no file of them exists; each line is of a process of its own.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import resource
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from mien.storage import Root, ShardRef, commit, open_table, read_manifest

ROWS = 512


def measure(count: int) -> None:
    """Prints the row of a table of so many shards."""
    names = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(count)]
    shards = [ShardRef("faces", name[:32], ROWS, {"ok": ROWS, "rejected": 0, "failed": 0}, name) for name in names]
    with tempfile.TemporaryDirectory() as folder:
        root, marks = Root(folder), [time.process_time()]
        table = commit(root, "faces", shards, {})
        marks.append(time.process_time())
        assert len(read_manifest(root, "faces", table.fingerprint).shards) == count
        marks.append(time.process_time())
        assert len(open_table(root, "faces", table.fingerprint).files) == count
        marks.append(time.process_time())
        mib = sum(path.stat().st_size for path in Path(folder).rglob("*.json")) / 2**20
    most_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"| {count:,} | {' | '.join(f'{b - a:.1f}' for a, b in pairwise(marks))} | {mib:.1f} | {most_gib:.2f} |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="What a table of many shards takes.")
    parser.add_argument("--shards", type=int, action="append")
    print("| shards | commit, s | read, s | open, s | list, MiB | memory, GiB |\n|---|---|---|---|---|---|", flush=True)
    for count in parser.parse_args().shards or (10_000, 100_000, 1_000_000):
        process = multiprocessing.get_context("spawn").Process(target=measure, args=(count,))
        process.start()
        process.join()


if __name__ == "__main__":
    main()
