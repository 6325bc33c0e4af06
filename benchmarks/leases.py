"""Several jobs at once on one root: how many shards they make twice, and what leases cost a job that is alone.

python -m benchmarks.leases [--on both|local|s3] [--shards 200] [--seconds 0.3] [--jobs 2] [--workers 2] [--ranks]
                            [--without] [--alone 3]

The shards are cheap: each sleeps and writes a row. Jobs are processes with workers of their own; with `--ranks` each
has its rank. `--without` runs them without leases, too. Printed are the shards that more than one job has begun, with
their share, and for a job alone its time with and without leases in turns and, on S3 (moto, on loopback), its requests
for each shard.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import statistics
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from benchmarks.kill_targets import Bucket
from benchmarks.kills import ended, started
from benchmarks.lease_shards import Cheap, run_cheap_job
from benchmarks.servers import S3_KEYS, prefect_api, s3_server
from mien.tasks.runtime.ranks import Rank


def at_once(root: str, scratch: Path, asked: argparse.Namespace, leases: bool) -> None:
    """Several jobs at once; prints what they made twice."""
    log = scratch / f"{'with' if leases else 'without'}-{'ranks' if asked.ranks else 'jobs'}.begun"
    about, begun_s = Cheap(str(log), asked.seconds), time.monotonic()
    logs = [scratch / f"{log.stem}-{number}.log" for number in range(asked.jobs)]
    pids = [
        started(each, run_cheap_job, root, asked.shards, about, asked.workers, rank, leases)
        for number, each in enumerate(logs)
        for rank in [Rank(number, asked.jobs, "the benchmark") if asked.ranks else None]
    ]
    for pid, each in zip(pids, logs, strict=True):
        ended(pid, each)
    times = Counter(log.read_text().split())
    assert len(times) == asked.shards
    twice = sum(times.values()) - len(times)
    print(
        f"{root}: {asked.jobs} jobs of {asked.shards} shards at once, {'with' if leases else 'without'} leases"
        f"{', with ranks' if asked.ranks else ''}: {twice} made twice ({twice / len(times):.1%}), "
        f"{time.monotonic() - begun_s:.1f} s",
        flush=True,
    )


def alone(root: str, scratch: Path, asked: argparse.Namespace, server_log: Path | None) -> None:
    """One job at a time, with and without leases in turns."""
    seconds: dict[bool, list[float]] = {True: [], False: []}
    processor: dict[bool, list[float]] = {True: [], False: []}
    requests = Counter[tuple[bool, str]]()
    for turn in range(2 * asked.alone):
        leases = turn % 2 == 0
        about = Cheap(str(scratch / "alone.begun"), asked.seconds)
        before, begun_s, used_s = _requests(server_log), time.monotonic(), _processor_s()
        log = scratch / f"alone-{turn}.log"
        ended(started(log, run_cheap_job, f"{root}/{turn}", asked.shards, about, asked.workers, None, leases), log)
        seconds[leases].append(time.monotonic() - begun_s)
        processor[leases].append(_processor_s() - used_s)
        for method, count in (_requests(server_log) - before).items():
            requests[leases, method] += count
    for leases in (True, False):
        shown = ", ".join(f"{requests[leases, m] / asked.alone / asked.shards:.2f} {m}" for m in METHODS)
        took_s, used_s = statistics.median(seconds[leases]), statistics.median(processor[leases])
        print(
            f"{root}: one job alone {'with' if leases else 'without'} leases: {took_s:.1f} s, {used_s:.1f} s of the "
            f"processor (medians of {asked.alone}){f'; requests for each shard: {shown}' if server_log else ''}",
            flush=True,
        )


def _processor_s() -> float:
    """Of the jobs that have ended, with their workers."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


METHODS = ("PUT", "GET", "HEAD", "DELETE")


def _requests(server_log: Path | None) -> Counter[str]:
    if server_log is None:
        return Counter()
    return Counter(re.findall(r'"(PUT|GET|HEAD|DELETE|POST) /', server_log.read_text()))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--on", choices=("both", "local", "s3"), default="both")
    parser.add_argument("--shards", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=0.3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--ranks", action="store_true")
    parser.add_argument("--without", action="store_true")
    parser.add_argument("--alone", type=int, default=3)
    asked = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="mien-leases-"))
    with ExitStack() as servers:
        api = os.environ.get("PREFECT_API_URL") or servers.enter_context(prefect_api(scratch))
        os.environ |= {"PREFECT_API_URL": api, "PREFECT_LOGGING_LEVEL": "ERROR", "OMP_NUM_THREADS": "1"}
        for kind in {"both": ("local", "s3"), "local": ("local",), "s3": ("s3",)}[asked.on]:
            folder, server_log = scratch / kind, None
            folder.mkdir()
            root = str(folder / "root")
            if kind == "s3":
                os.environ |= S3_KEYS | {"AWS_ENDPOINT_URL": servers.enter_context(s3_server(scratch))}
                root, server_log = Bucket("s3://mien-leases").create().url, scratch / "s3.log"
            for leases in (True, False) if asked.without else (True,):
                at_once(f"{root}/{leases}", folder, asked, leases)
            if asked.alone:
                alone(root, folder, asked, server_log)
    shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
