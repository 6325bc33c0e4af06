"""Stages over shards: what is looked up and made, what one failure does, and what some more do."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import fsspec
import pyarrow as pa
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from prefect import flow

import mien.tasks.runtime.fan_out
from mien.storage import Root, ShardRef, fingerprint, write_shard
from mien.storage.lease_files import lease_path, leased_names, past_notes
from mien.storage.leases import leased
from mien.storage.schemas import PAIRS
from mien.tasks.errors import UsageError
from mien.tasks.runtime.fan_out import MAX_FAILED, run_stage, shard_threads
from mien.tasks.runtime.left_shards import Passed
from mien.tasks.runtime.stage import Stage
from mien.tasks.runtime.workers import abandon_work, worker_pool

pytestmark = pytest.mark.usefixtures("prefect_server", "quick_workers")

SHARDS = 40
IN_HAND = 1
"""Shards at most that a pool of one process has already taken when it is told to begin nothing more: the one that it
works on."""
GIVEN_UP = "given-up"


def number_decides(_root: Root, number: int, _settings: object) -> dict[str, int]:
    return {"number": number}


# --- Failures ---------------------------------------------------------------------------------------------------------


class Bad(NamedTuple):
    """Shards that fail."""

    folder: str
    numbers: tuple[int, ...]


def touch(_root: Root, name: str, number: int, bad: Bad) -> ShardRef:
    """A file for a shard. Where enough shards were bad, what comes then waits until the stage is given up, so that what
    is made after that shows."""
    folder = Path(bad.folder)
    enough = len(list(folder.glob("bad-*"))) >= MAX_FAILED
    if enough:
        wait_for(folder / GIVEN_UP)
    if number in bad.numbers:
        (folder / f"bad-{number}").touch()
        raise UsageError(f"{number} is bad")  # which is not tried again
    (folder / (f"late-{number}" if enough else f"{number}")).touch()
    return ShardRef("pairs", name, number, {"ok": number, "rejected": 0, "failed": 0}, "0" * 64)


def wait_for(path: Path) -> None:
    until = time.monotonic() + 60
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.01)


TOUCH = Stage("make", "shards", "pairs", __name__, number_decides, touch, "it")


@flow(task_runner=shard_threads())
def touch_shards(folder: str, bad: tuple[int, ...]) -> list[int]:
    shards = run_stage(TOUCH, Root(folder), range(SHARDS), Bad(folder, bad), SHARDS)
    return [shard.rows for shard in shards]


def touch_all(folder: Path, bad: tuple[int, ...]) -> list[int]:
    with worker_pool(1):  # around the flow, as a pipeline has it: its end is not what ends the work of a failed stage
        return touch_shards(str(folder), bad)


def test_results_come_in_the_order_of_the_items(tmp_path: Path) -> None:
    assert touch_all(tmp_path, ()) == list(range(SHARDS))


def test_a_bad_shard_fails_the_stage_after_all_others_are_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="7 is bad"):
        touch_all(tmp_path, (7,))
    assert len(list(tmp_path.glob("[0-9]*"))) == SHARDS - 1


def test_where_many_are_bad_nothing_more_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given_up = tmp_path / GIVEN_UP

    def tell_and_abandon() -> None:
        abandon_work()
        given_up.touch()

    monkeypatch.setattr(mien.tasks.runtime.fan_out, "abandon_work", tell_and_abandon)
    bad = tuple(number for number in range(SHARDS) if number % 3)
    with pytest.raises(UsageError, match="is bad"):
        touch_all(tmp_path, bad)
    assert given_up.exists()
    assert len(list(tmp_path.glob("late-*"))) <= IN_HAND
    assert len(list(tmp_path.glob("bad-*"))) < len(bad)


# --- Look-ups ---------------------------------------------------------------------------------------------------------


class CountingFiles(MemoryFileSystem):
    """Counts how often each file is asked for."""

    protocol = "counting"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    asked: ClassVar[Counter[str]] = Counter()

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return super()._strip_protocol(path.replace("counting://", "memory://"))

    def open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        if "r" in mode:
            self.asked[path.rpartition("/")[2]] += 1
        return super().open(path, mode, **options)


@pytest.fixture
def counted() -> Root:
    fsspec.register_implementation("counting", CountingFiles, clobber=True)
    CountingFiles.store.clear()
    CountingFiles.asked.clear()
    return Root("counting://root")


def rows(number: int) -> pa.Table:
    pair = {"pair_id": f"{number}", "identity_face_id": "a", "expression_face_id": "b", "seed": 0, "status": "ok"}
    return pa.Table.from_pylist([pair], schema=PAIRS)


def write(root: Root, name: str, number: int, _settings: None) -> ShardRef:
    return write_shard(root, "pairs", name, rows(number))


WRITE = Stage("write pairs", "pairs", "pairs", __name__, number_decides, write, "it")


@flow(task_runner=shard_threads())
def write_shards(root: Root, count: int) -> list[ShardRef]:
    return run_stage(WRITE, root, range(count), None, count)


def test_a_shard_that_exists_is_looked_up_once_and_has_no_task_run(
    counted: Root, caplog: pytest.LogCaptureFixture
) -> None:
    names = [f"{WRITE.name(counted, number, None)}.parquet" for number in range(8)]
    first = write_shards(counted, 6)
    # Once by the flow, and once by the worker when its turn has come: another run may have made it since.
    assert asked_of(names) == dict.fromkeys(names[:6], 2)
    CountingFiles.asked.clear()
    caplog.clear()
    with caplog.at_level("INFO", "prefect.task_runs"):
        again = write_shards(counted, 8)
    assert again[:6] == first
    assert asked_of(names) == dict.fromkeys(names[:6], 1) | dict.fromkeys(names[6:], 2)
    ended = [record for record in caplog.records if record.name == "prefect.task_runs" and "Finished" in record.message]
    assert sorted(getattr(record, "task_run_name", "") for record in ended) == [
        "write pairs 7 of 8",
        "write pairs 8 of 8",
    ]


def asked_of(names: list[str]) -> dict[str, int]:
    """Without the names that these shards would have if an item of theirs had been slow."""
    return {name: CountingFiles.asked[name] for name in names if CountingFiles.asked[name]}


def write_as_two_runs_do(root: Root, name: str, number: int, log: str) -> ShardRef:
    """While this shard is made, another run makes all that are left."""
    with Path(log).open("a") as file:
        file.write(f"{number}\n")
    for other in range(SHARDS):
        write(root, TOGETHER.name(root, other, log), other, None)
    return write(root, name, number, None)


TOGETHER = Stage("write pairs", "pairs", "pairs", __name__, number_decides, write_as_two_runs_do, "it")


@flow(task_runner=shard_threads())
def write_together(root: str, log: str) -> list[ShardRef]:
    with worker_pool(1):
        return run_stage(TOGETHER, Root(root), range(SHARDS), log, SHARDS)


def test_what_another_run_makes_meanwhile_is_not_made_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    shards = write_together(str(tmp_path / "root"), str(log))
    assert [shard.rows for shard in shards] == [1] * SHARDS
    assert len(log.read_text().splitlines()) == 1


# --- Beside other runs ------------------------------------------------------------------------------------------------


def write_unfinished(root: Root, name: str, number: int, log: str) -> ShardRef:
    """A source did not answer: the shard has another name than it would have."""
    with Path(log).open("a") as file:
        file.write(f"{number}\n")
    return write(root, fingerprint({"unfinished": name}), number, None)


UNFINISHED = Stage("write pairs", "pairs", "pairs", __name__, number_decides, write_unfinished, "it")


def one_shard(root: Root, log: Path, past: str | None) -> ShardRef | Passed:
    """What a run with this view of notes does about the shard."""
    shard_run = mien.tasks.runtime.fan_out._shard_run  # pyright: ignore[reportPrivateUsage]
    return shard_run(UNFINISHED, root, 3, str(log), None, 4, SHARDS, ("cpu",), past)


def test_ranks_take_over_what_one_of_them_made_of_a_source_that_did_not_answer(tmp_path: Path) -> None:
    root, log = Root(str(tmp_path / "root")), tmp_path / "log"
    made = one_shard(root, log, "")
    assert [one_shard(root, log, "") for _ in range(3)] == [made] * 3
    assert log.read_text() == "3\n"


def test_a_later_run_asks_the_source_again(tmp_path: Path) -> None:
    root, log = Root(str(tmp_path / "root")), tmp_path / "log"
    name = UNFINISHED.name(root, 3, "")
    one_shard(root, log, "")
    one_shard(root, log, past_notes(root, "pairs", {name})[name])
    one_shard(root, log, None)
    assert log.read_text() == "3\n" * 3
    assert leased_names(root, "pairs") == set()


def test_a_note_of_a_shard_that_is_gone_or_damaged_is_passed_over(tmp_path: Path) -> None:
    root, log = Root(str(tmp_path / "root")), tmp_path / "log"
    made = one_shard(root, log, "")
    assert isinstance(made, ShardRef)
    path = tmp_path / "root" / "pairs" / "shards" / f"{made.fingerprint}.parquet"
    for damage in (path.unlink, lambda: path.write_bytes(b"damaged")):
        damage()
        assert one_shard(root, log, "") == made
    assert log.read_text() == "3\n" * 3


def test_a_shard_in_the_hands_of_another_run_is_passed_by(tmp_path: Path) -> None:
    root, log = Root(str(tmp_path / "root")), tmp_path / "log"
    name = UNFINISHED.name(root, 3, "")
    with leased(root, "pairs", name, "another run"):
        passed = one_shard(root, log, None)
    assert isinstance(passed, Passed)
    assert passed.name == name
    assert not log.exists()


@pytest.mark.usefixtures("prefect_server")
def test_a_stage_waits_for_what_another_run_has_in_hand_and_clears_what_is_left(tmp_path: Path) -> None:
    """The other run ends without making its shard, after all others are there."""
    root = Root(str(tmp_path))
    names = [WRITE.name(root, number, None) for number in range(6)]
    root.write_bytes(lease_path("pairs", fingerprint("of another stage")), b"left")

    def give_up_late() -> None:
        with leased(root, "pairs", names[2], "another run"):
            held.set()
            wait_for(tmp_path / "pairs" / "shards" / f"{names[5]}.parquet")
            wait_for(tmp_path / "pairs" / "shards" / f"{names[0]}.parquet")

    held = threading.Event()
    other = threading.Thread(target=give_up_late)
    other.start()
    held.wait(60)
    shards = write_shards(root, 6)
    other.join()
    assert [shard.fingerprint for shard in shards] == names
    assert leased_names(root, "pairs") == {fingerprint("of another stage")}
