"""Where workers run: processes of this machine against a Ray cluster of two nodes, one worker against two.

    python -m benchmarks.executors --shards 40 --seconds 0.5

Each node has one CPU and runs on this machine. A shard computes for so long, by its processor time, or sleeps, which
needs no idle core. What starts before the first shard is left out of the seconds and printed beside them.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.servers import prefect_api
from benchmarks.timed_shards import TIMED, Work
from mien.storage import Root
from mien.tasks.runtime.executors import ExecutorKind
from mien.tasks.runtime.ray_cluster import OF_ONE_MACHINE, WITHOUT_STATISTICS


@dataclass(frozen=True)
class Took:
    """Seconds of a job: until its first shard was there, and for the others."""

    start_s: float
    rest_s: float


@contextmanager
def ray_cluster(nodes: int) -> Iterator[str]:
    """The address of a cluster of so many nodes of one CPU, on loopback."""
    os.environ.update(WITHOUT_STATISTICS | OF_ONE_MACHINE)
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        for _ in range(nodes - 1):
            cluster.add_node(num_cpus=1)
        yield cluster.address
    finally:
        cluster.shutdown()


def job_flow() -> Callable[[str, int, Work, int, ExecutorKind, str | None], Took]:
    """The flow that makes shards with so many workers; Prefect is imported when its API is there."""
    from prefect import flow

    from mien.storage.runs import job
    from mien.tasks.runtime.executors import executing
    from mien.tasks.runtime.fan_out import run_stage, shard_threads
    from mien.tasks.runtime.workers import worker_pool

    @flow(name="executors", task_runner=shard_threads())
    def make(url: str, shards: int, work: Work, workers: int, executor: ExecutorKind, address: str | None) -> Took:
        root, begun_s = Root(url), time.perf_counter()
        with (
            job(root, "benchmark") as marker,
            executing(executor, address, root, marker.path),
            worker_pool(workers),
        ):
            run_stage(TIMED, root, range(2 * workers), Work(0.01, False), 2 * workers)  # which start all processes
            ready_s = time.perf_counter()
            run_stage(TIMED, root, range(shards), work, shards)
            return Took(ready_s - begun_s, time.perf_counter() - ready_s)

    return make


def main() -> None:
    """Prints a table of seconds and ratios, and what else ran meanwhile."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each shard")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, prefect_api(Path(folder)) as api, ray_cluster(2) as address:
        os.environ |= {"PREFECT_API_URL": api, "PREFECT_LOGGING_LEVEL": "WARNING"}
        make, busy = job_flow(), psutil.cpu_percent(2.0)
        cores = len(os.sched_getaffinity(0))
        print(f"{cores} cores for this process, of {os.cpu_count()} which were {busy:.0f}% busy before it began\n")
        shards = f"{given.shards} shards of {given.seconds:g} s"
        print(f"| {shards} | workers | start s | s | of one worker | beyond the work |")
        print("|---|---|---|---|---|---|")
        for computes in (True, False):
            for executor in ("local", "ray"):
                alone_s = 0.0
                for workers in (1, 2):
                    root = str(Path(folder) / f"{executor}-{workers}-{computes}")
                    used = address if executor == "ray" else None
                    took = make(root, given.shards, Work(given.seconds, computes), workers, executor, used)
                    alone_s = alone_s or took.rest_s
                    over_s = took.rest_s - given.shards * given.seconds / workers
                    what = f"{executor}, {'computing' if computes else 'sleeping'}"
                    ratio = f"{alone_s / took.rest_s:.2f} ×"
                    print(f"| {what} | {workers} | {took.start_s:.1f} | {took.rest_s:.1f} | {ratio} | {over_s:.1f} s |")


if __name__ == "__main__":
    main()
