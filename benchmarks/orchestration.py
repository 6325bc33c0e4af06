"""What a Prefect task run for each shard costs, by shards that sleep."""

from __future__ import annotations

import os
import time
from pathlib import Path

from benchmarks.servers import prefect_api
from mien.storage import Root, ShardRef


def decided(_root: Root, number: int, seconds: float) -> dict[str, float]:
    """What decides a shard that sleeps."""
    return {"number": number, "seconds": seconds}


def sleeping_shard(_root: Root, name: str, _number: int, seconds: float) -> ShardRef:
    """A shard of nothing, made in a worker."""
    time.sleep(seconds)
    return ShardRef("pairs", name, 0, {"ok": 0, "rejected": 0, "failed": 0}, "0" * 64)


def orchestration(shards: int, folder: Path, workers: int = 2, slept_s: float = 0.1) -> None:
    """Prints what a Prefect task run for each shard costs."""
    with prefect_api(folder) as api:
        os.environ["PREFECT_API_URL"] = api
        from prefect import flow

        from mien.tasks.runtime.fan_out import run_stage, shard_threads
        from mien.tasks.runtime.stage import Stage
        from mien.tasks.runtime.workers import in_worker, worker_pool

        sleep = Stage("sleep", "shards", "pairs", __name__, decided, sleeping_shard, "it")

        @flow(name="calibrated-no-op", task_runner=shard_threads())
        def sleep_over(seconds: float) -> float:
            with worker_pool(workers):
                in_worker(time.sleep, 0)
                begun_s = time.perf_counter()
                run_stage(sleep, Root(str(folder)), range(shards), seconds, shards)
                return time.perf_counter() - begun_s

        sleep_over(0.0)
        rows = [(seconds, sleep_over(seconds)) for seconds in (0.0, slept_s)]
    print(f"\n| {shards} shards, {workers} workers | seconds | beyond the work | share at shards of 10 s |")
    print("|---|---|---|---|")
    for seconds, took_s in rows:
        over_s = took_s - shards * seconds / workers
        share = over_s / (over_s + shards * 10 / workers)
        print(f"| of {seconds:g} s | {took_s:.1f} | {over_s:.1f} | {share:.2%} |")
