"""Steps over shards: what one failure does, and what some more do."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from prefect import flow, task
from prefect.cache_policies import NO_CACHE

import mien.tasks.runtime.fan_out
from mien.storage import Root, ShardRef
from mien.tasks.errors import RunError
from mien.tasks.runtime.fan_out import MOST_FAILED, Step, over_shards, shard_threads
from mien.tasks.runtime.workers import abandon_work, in_worker, worker_pool

SHARDS = 40
IN_HAND = 3
"""Shards at most that a pool of one process has already taken when it is told to begin nothing more: the one that it
works on, and what waits in the executor's queue (one more than it has processes)."""
GIVEN_UP = "given-up"


def made(folder: str, name: str, bad: tuple[str, ...]) -> None:
    """In a worker: a file for a shard. Where enough shards were bad, what comes then waits until the step is given up,
    so that what is made after that shows."""
    enough = len(list(Path(folder).glob("bad-*"))) >= MOST_FAILED
    if enough:
        wait_for(Path(folder) / GIVEN_UP)
    if name in bad:
        (Path(folder) / f"bad-{name}").touch()
        raise RunError(f"{name} is bad")
    (Path(folder) / (f"late-{name}" if enough else name)).touch()


def wait_for(path: Path) -> None:
    until = time.monotonic() + 60
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.01)


def make(root: Root, name: str, bad: tuple[str, ...]) -> ShardRef:
    in_worker(made, root.url, name, bad)
    return ShardRef("pairs", name, 1, {"ok": 1, "rejected": 0, "failed": 0}, "0" * 64)


@flow(task_runner=shard_threads())
def make_shards(folder: str, bad: tuple[str, ...]) -> list[str]:
    run = task(make, cache_policy=NO_CACHE)
    names = [f"{number:02d}" for number in range(SHARDS)]
    return [ref.fingerprint for ref in over_shards(Step("make", "shards", SHARDS), run, Root(folder), names, bad)]


def make_all(folder: str, bad: tuple[str, ...]) -> list[str]:
    with worker_pool(1):  # around the flow, as a pipeline has it: its end is not what ends the work of a failed step
        return make_shards(folder, bad)


@pytest.mark.usefixtures("prefect_server")
def test_results_come_in_the_order_of_the_shards(tmp_path: Path) -> None:
    assert make_all(str(tmp_path), ()) == [f"{number:02d}" for number in range(SHARDS)]


@pytest.mark.usefixtures("prefect_server")
def test_a_bad_shard_fails_the_step_after_all_others_are_made(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="07 is bad"):
        make_all(str(tmp_path), ("07",))
    assert len(list(tmp_path.glob("[0-9]*"))) == SHARDS - 1


@pytest.mark.usefixtures("prefect_server")
def test_where_many_are_bad_nothing_more_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given_up = tmp_path / GIVEN_UP

    def tell_and_abandon() -> None:
        abandon_work()
        given_up.touch()

    monkeypatch.setattr(mien.tasks.runtime.fan_out, "abandon_work", tell_and_abandon)
    bad = tuple(f"{number:02d}" for number in range(SHARDS) if number % 3)
    with pytest.raises(RunError, match="is bad"):
        make_all(str(tmp_path), bad)
    assert given_up.exists()
    assert len(list(tmp_path.glob("late-*"))) <= IN_HAND
    assert len(list(tmp_path.glob("bad-*"))) < len(bad)
