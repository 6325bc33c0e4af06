"""What is left of a stage beside other runs: passed by, come back to, taken over where its holder is dead."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from uuid import uuid4

import pyarrow as pa
import pytest

from mien.storage import Root, ShardRef, write_shard
from mien.storage.lease_files import lease_path
from mien.storage.lease_text import new_text
from mien.storage.leases import LEASE_S
from mien.storage.schemas import PAIRS
from mien.tasks.runtime import left_shards
from mien.tasks.runtime.left_shards import LeftShards, Passed, look_up
from mien.tasks.runtime.ranks import Rank
from mien.tasks.runtime.stage import Stage

COUNT = 6


def number_decides(_root: Root, number: int, _settings: None) -> dict[str, int]:
    return {"number": number}


def write(root: Root, name: str, number: int, _settings: None) -> ShardRef:
    row = {"pair_id": f"{number}", "identity_face_id": "a", "expression_face_id": "b", "seed": 0, "status": "ok"}
    return write_shard(root, "pairs", name, pa.Table.from_pylist([row], schema=PAIRS))


WRITE = Stage("write pairs", "pairs", "pairs", __name__, number_decides, write, "it")


@pytest.fixture
def root() -> Root:
    return Root(f"memory://{uuid4().hex}")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The monotonic clock of this process, which a test moves on."""
    moved = SimpleNamespace(now_s=1000.0)
    ticking = SimpleNamespace(monotonic=lambda: moved.now_s)
    monkeypatch.setattr(left_shards, "time", ticking)
    monkeypatch.setattr("mien.storage.lease_files.time", ticking)
    return moved


def left_of(root: Root, rank: Rank | None) -> LeftShards[int, None]:
    return LeftShards(WRITE, root, range(COUNT), None, look_up(WRITE, root, None, range(COUNT)), rank)


def made(root: Root, number: int) -> ShardRef:
    return write(root, WRITE.name(root, number, None), number, None)


def lease_elsewhere(root: Root, number: int, beat: int = 0) -> None:
    text = dataclasses.replace(new_text("write pairs", LEASE_S), machine="far", host="far", process="p", beat=beat)
    root.write_bytes(lease_path("pairs", WRITE.name(root, number, None)), text.data())


def all_next(left: LeftShards[int, None]) -> list[int]:
    found = []
    while (index := left.next()) is not None:
        found.append(index)
    return found


def test_what_is_there_is_not_begun(root: Root) -> None:
    shards = [made(root, number) for number in (1, 3)]
    left = left_of(root, None)
    assert sorted(all_next(left)) == [0, 2, 4, 5]
    assert [left.shards[1], left.shards[3]] == shards
    assert left.pause_s is None


def test_a_rank_begins_its_own_and_looks_before_it_helps(root: Root) -> None:
    left = left_of(root, Rank(0, 2, "the test"))
    assert [left.next() for _ in range(3)] == [0, 2, 4]
    other = made(root, 3)
    lease_elsewhere(root, 5)
    assert all_next(left) == [1]
    assert left.shards[3] == other
    assert left.pause_s is not None


def test_what_another_makes_meanwhile_is_found(root: Root) -> None:
    left = left_of(root, None)
    first = left.next()
    assert first is not None
    name = WRITE.name(root, first, None)
    lease_elsewhere(root, first)
    left.came(first, Passed(name, "another"))
    for index in all_next(left):
        left.came(index, made(root, index))
    left.look_again()
    assert left.next() is None
    assert left.pause_s is not None
    shard = made(root, first)
    root.delete(lease_path("pairs", name))
    left.look_again()
    assert left.next() is None
    assert left.pause_s is None
    assert left.shards[first] == shard
    assert None not in left.shards


def test_what_another_gives_up_is_begun(root: Root) -> None:
    left = left_of(root, None)
    first = left.next()
    assert first is not None
    left.came(first, Passed(WRITE.name(root, first, None), "another"))
    all_next(left)
    left.look_again()
    assert all_next(left) == [first]


def test_what_a_dead_run_had_in_hand_is_begun_when_its_lease_has_run_out(root: Root, clock: SimpleNamespace) -> None:
    left = left_of(root, Rank(0, 2, "the test"))
    lease_elsewhere(root, 1)
    assert all_next(left) == [0, 2, 4, 5, 3]
    passed_s = 0.0
    while left.next() is None:
        left.look_again()
        clock.now_s += 5
        passed_s += 5
        assert passed_s < 2 * LEASE_S
    assert passed_s >= LEASE_S


def test_a_run_that_lives_is_waited_for(root: Root, clock: SimpleNamespace) -> None:
    left = left_of(root, Rank(0, 2, "the test"))
    lease_elsewhere(root, 1)
    all_next(left)
    for beat in range(60):
        lease_elsewhere(root, 1, beat)
        left.look_again()
        clock.now_s += 15
    assert left.next() is None
    assert left.pause_s is not None
    assert left.pause_s <= 5


def test_an_outage_of_the_root_is_waited_out(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> list[str]:
        raise left_shards.StorageError("the root is away")

    left = left_of(root, Rank(0, 2, "the test"))
    lease_elsewhere(root, 1)
    all_next(left)
    with monkeypatch.context() as outage:
        outage.setattr(Root, "list", away)
        left.look_again()
    assert left.next() is None
    root.delete(lease_path("pairs", WRITE.name(root, 1, None)))
    left.look_again()
    assert all_next(left) == [1]
