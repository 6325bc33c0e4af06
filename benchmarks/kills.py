"""Kills transfer jobs at random moments, starts them again, and compares what they leave with an unbroken job.

python -m benchmarks.kills [--kills 100] [--seed 0] [--on both|local|s3] [--per-identity 8]

A life is a job over an empty table that is killed (SIGKILL) and started again until it ends by itself. The moments are
drawn over the time that the unbroken job took; killed are the parent alone, the parent and its workers together, or one
worker, whose job goes on. Each start draws another number of workers. At the end of a life every file of the plan and
of the generated faces must be there with the bytes of the unbroken job, no other file, and no more shards may have been
begun again than workers died with their parent, and two for each worker that died alone: what it had in hand is tried
by itself, and then its shard again. Half the kills are on a local root, half on S3 (moto, on loopback).

The jobs are processes forked from this one, which has the flows imported: a start costs little, so there are many.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.kill_targets import Bucket, Folder, Target
from benchmarks.servers import S3_KEYS, prefect_api, s3_server
from benchmarks.small_job import NAME, PER_IDENTITY, prepare_job, register_generator, run_job

PREPARED = ("images/", "faces/", "heatmaps/", "quality/", f"sets/{NAME}.json", f"sets/history/{NAME}/")
RESULT = ("pairs/", "transfers/")
LEASE = "/leases/"
"""In the path of what says that a shard is in hand. A killed job leaves some; the one that ends the life none."""
MADE = f"sets/{NAME}-by-{NAME}.json"
"""The set that the job makes. It says when it was written, so that its tables are compared, not its bytes."""
MAX_WORKERS = 3
WAYS = ("parent", "all", "worker")


# --- Jobs -------------------------------------------------------------------------------------------------------------


def started(log: Path, work: Callable[..., object], *arguments: object) -> int:
    """Runs `work` in a forked process of its own group; its pid. What it prints goes to the log."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setsid()
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(out, 1)
        os.dup2(out, 2)
        work(*arguments)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def ended(pid: int, log: Path) -> None:
    """Waits for a process that must end well."""
    _, status = os.waitpid(pid, 0)
    if status:
        raise SystemExit(f"a job failed by itself: {log}\n{log.read_text()[-3000:]}")


def workers_of(pid: int) -> list[int]:
    """Worker processes of a job."""
    import psutil

    try:
        children = psutil.Process(pid).children()
        return [child.pid for child in children if any("spawn_main" in word for word in child.cmdline())]
    except psutil.Error:
        return []


def kill(pid: int, way: str, chance: random.Random) -> bool:
    """Kills a job or one of its workers; whether the job is over."""
    if way == "worker":
        if workers := workers_of(pid):
            os.kill(chance.choice(workers), signal.SIGKILL)
        return False
    if way == "parent":
        os.kill(pid, signal.SIGKILL)
    else:
        os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return True


@dataclass
class Outcome:
    """What the kills did."""

    kills: Counter[str] = field(default_factory=Counter)
    lives: int = 0
    shards: int = 0
    redone: int = 0
    """Shards begun again, over all lives."""
    max_redone: int = 0
    """In one kill, as a share of the workers: at most 1."""


@dataclass
class Harness:
    """Lives of jobs on one root."""

    target: Target
    scratch: Path
    chance: random.Random
    per_identity: int = PER_IDENTITY
    whole: dict[str, str] = field(default_factory=dict)
    """The files of the unbroken job."""
    took_s: float = 0.0
    outcome: Outcome = field(default_factory=Outcome)

    def unbroken(self) -> None:
        """The job to compare with; how long it takes is over what time the moments are drawn."""
        log, begun_s = self.scratch / "whole.log", time.monotonic()
        ended(self._started(log, 2, self.scratch / "whole.begun"), log)
        self.took_s = time.monotonic() - begun_s
        self.whole = self._result()
        self.outcome.shards = sum(path.startswith("transfers/shards/") for path in self.whole)
        self.wipe()

    def _started(self, log: Path, workers: int, begun: Path) -> int:
        return started(log, run_job, self.target.url, workers, str(begun), self.per_identity)

    def _result(self) -> dict[str, str]:
        files = self.target.files()
        result = {path: digest for path, digest in files.items() if path.startswith(RESULT) and LEASE not in path}
        return result | json.loads(self.target.read(MADE))["tables"] if MADE in files else result

    def wipe(self) -> None:
        """Deletes all that the job made."""
        for path in self.target.files():
            if not path.startswith(PREPARED):
                self.target.delete(path)

    def live(self, kills: int) -> int:
        """One life with at most so many kills; how many there were."""
        begun = self.scratch / f"life-{self.outcome.lives}.begun"
        begun.touch()
        count, allowed = 0, 0
        while self._one_start(begun, count < kills):
            count += 1
            allowed += self.may_redo
        self._check(begun, allowed)
        self.outcome.lives += 1
        self.wipe()
        return count

    def _one_start(self, begun: Path, killing: bool) -> bool:
        """Starts the job; whether it (or a worker of it) was killed."""
        self.workers = self.chance.randint(1, MAX_WORKERS)
        log = self.scratch / "job.log"
        pid = self._started(log, self.workers, begun)
        if not killing:
            ended(pid, log)
            return False
        way, moment_s = self.chance.choice(WAYS), time.monotonic() + self.chance.uniform(0, self.took_s)
        while time.monotonic() < moment_s:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                if status:
                    raise SystemExit(f"a job failed by itself: {log}\n{log.read_text()[-3000:]}")
                return False
            time.sleep(0.01)
        over = kill(pid, way, self.chance)
        self.may_redo = 2 if way == "worker" else self.workers
        self.outcome.kills[way] += 1
        self._check_valid()
        if not over:  # the job replaces its workers and goes on
            ended(pid, log)
        return True

    def _check_valid(self) -> None:
        """What is there under its name is what the unbroken job wrote there."""
        odd = [path for path, digest in self._result().items() if self.whole.get(path) != digest]
        if odd:
            raise SystemExit(f"a killed job left another file than the unbroken one: {odd[0]}")

    def _check(self, begun: Path, allowed: int) -> None:
        result = self._result()
        if result != self.whole:
            unlike = sorted(result.items() ^ self.whole.items())
            raise SystemExit(f"after its kills the job left other files than the unbroken one: {unlike[:4]}")
        if left := [path for path in self.target.files() if LEASE in path]:
            raise SystemExit(f"after its kills the job left a lease: {left[0]}")
        times = Counter(begun.read_text().split())
        redone = sum(times.values()) - len(times)
        if redone > allowed or len(times) != self.outcome.shards:
            raise SystemExit(f"{redone} shards were begun again, where {allowed} might be")
        self.outcome.redone += redone

    def two_at_once(self) -> int:
        """Two jobs at once on one root: how many shards were begun by both."""
        begun = self.scratch / "two.begun"
        logs = [self.scratch / f"two-{number}.log" for number in range(2)]
        pids = [self._started(log, 1, begun) for log in logs]
        for pid, log in zip(pids, logs, strict=True):
            ended(pid, log)
        if self._result() != self.whole:
            raise SystemExit("two jobs at once left other files than one")
        times = Counter(begun.read_text().split())
        self.wipe()
        return sum(times.values()) - len(times)


# --- All of it --------------------------------------------------------------------------------------------------------


def lives(harness: Harness, kills: int) -> Iterator[int]:
    """Lives until so many kills are done; yields how many there are so far."""
    done = 0
    while done < kills:
        done += harness.live(kills - done)
        yield done


def run(target: Target, kills: int, seed: int, scratch: Path, per_identity: int) -> None:
    """Kills, compares and prints."""
    scratch.mkdir(parents=True, exist_ok=True)
    begun_s = time.monotonic()
    ended(started(scratch / "prepare.log", prepare_job, target.url), scratch / "prepare.log")
    register = started(scratch / "register.log", register_generator, target.url, scratch / "generator")
    ended(register, scratch / "register.log")
    harness = Harness(target, scratch, random.Random(seed), per_identity)
    harness.unbroken()
    print(f"{target.url}: the unbroken job took {harness.took_s:.1f} s", flush=True)
    for done in lives(harness, kills):
        print(f"{target.url}: {done} of {kills} kills, {time.monotonic() - begun_s:.0f} s", flush=True)
    twice = harness.two_at_once()
    outcome = harness.outcome
    ways = ", ".join(f"{outcome.kills[way]} {what}" for way, what in zip(WAYS, TOLD, strict=True))
    print(
        f"{target.url}: {sum(outcome.kills.values())} kills ({ways}), {outcome.lives} jobs of {outcome.shards} shards: "
        f"no row missing, doubled or different; {outcome.redone} shards begun again. Two jobs at once: the same rows, "
        f"{twice} of {outcome.shards} shards made by both",
        flush=True,
    )


TOLD = ("of the parent", "of all processes", "of one worker")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--on", choices=("both", "local", "s3"), default="both")
    parser.add_argument("--per-identity", type=int, default=PER_IDENTITY)
    asked = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="mien-kills-"))
    with ExitStack() as servers:
        own = os.environ.get("PREFECT_API_URL") or servers.enter_context(prefect_api(scratch))
        os.environ |= {
            "PREFECT_API_URL": own,
            "PREFECT_LOGGING_LEVEL": "WARNING",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        shares = {"both": ("local", "s3"), "local": ("local",), "s3": ("s3",)}[asked.on]
        for number, kind in enumerate(shares):
            os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{scratch}/mlflow-{kind}.db"
            target: Target = Folder(str(scratch / "root"))
            if kind == "s3":
                os.environ |= S3_KEYS | {"AWS_ENDPOINT_URL": servers.enter_context(s3_server(scratch))}
                target = Bucket("s3://mien-kills").create()
            kills = asked.kills // len(shares) + (number < asked.kills % len(shares))
            import mien.flows.augment  # noqa: F401  # here, once, for all jobs

            run(target, kills, asked.seed + number, scratch / kind, asked.per_identity)
    shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
