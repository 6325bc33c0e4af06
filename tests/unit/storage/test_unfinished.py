"""Shards with rows that their source did not answer for: under a name of their own, and taken over from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mien.storage import Root, ShardRef, find_shard, fingerprint, read_shard
from mien.storage.schemas import IMAGES
from mien.storage.unfinished import FormerRows, unfinished_shards, write_outcome

SCOPE, WHOLE = fingerprint("scope"), fingerprint("whole")
GOOD: dict[str, Any] = {"status": "ok"}
AWAY: dict[str, Any] = {"status": "failed", "reason": "503", "failure": "source"}
DAMAGED: dict[str, Any] = {"status": "failed", "reason": "cut off", "failure": "content"}


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(str(tmp_path))


def written(root: Root, outcomes: list[dict[str, Any]], name: str = WHOLE, waits: bool = False) -> ShardRef:
    rows = [{"uri": f"{index}.jpg", "version": "1", **outcome} for index, outcome in enumerate(outcomes)]
    return write_outcome(root, "images", name, pa.Table.from_pylist(rows, schema=IMAGES), SCOPE, waits)


def _uri(row: dict[str, Any]) -> str:
    return row["uri"]


def former(root: Root, scope: str = SCOPE) -> FormerRows:
    return FormerRows(root, "images", scope, ("uri",), _uri)


def test_a_shard_of_which_all_sources_answered_has_its_name_and_no_note(root: Root) -> None:
    assert written(root, [GOOD, DAMAGED]).fingerprint == WHOLE
    assert unfinished_shards(root, SCOPE) == []


def test_a_shard_with_rows_without_an_answer_is_not_found_as_the_whole_one(root: Root) -> None:
    first = written(root, [GOOD, AWAY])
    assert find_shard(root, "images", WHOLE) is None
    assert unfinished_shards(root, SCOPE) == [first.fingerprint]
    assert written(root, [GOOD, AWAY]) == first
    other = written(root, [AWAY, GOOD])
    assert other.fingerprint != first.fingerprint
    again = [row["status"] for row in read_shard(root, "images", first.fingerprint).to_pylist()]
    assert again == ["ok", "failed"], "a version of a set that holds it can still be read"


def test_good_rows_are_taken_over_and_so_is_what_is_damaged(root: Root) -> None:
    written(root, [GOOD, AWAY, DAMAGED])
    taken = former(root).take(["0.jpg", "1.jpg", "2.jpg", "3.jpg"])
    assert {key: rows[0]["status"] for key, rows in taken.items()} == {"0.jpg": "ok", "2.jpg": "failed"}
    assert former(root, fingerprint("other settings")).take(["0.jpg"]) == {}


def test_rows_come_from_whichever_shard_has_them(root: Root) -> None:
    written(root, [GOOD, AWAY])
    written(root, [AWAY, GOOD])
    assert set(former(root).take(["0.jpg", "1.jpg"])) == {"0.jpg", "1.jpg"}


def test_a_note_goes_when_all_of_its_inputs_are_answered(root: Root) -> None:
    written(root, [GOOD, AWAY])
    former(root).release(["0.jpg"])
    assert len(unfinished_shards(root, SCOPE)) == 1
    former(root).release(["0.jpg", "1.jpg", "2.jpg"])
    assert unfinished_shards(root, SCOPE) == []


@pytest.mark.parametrize("damage", ["deleted", "cut off"])
def test_a_shard_that_cannot_be_read_any_more_gives_nothing(root: Root, damage: str) -> None:
    path = f"images/shards/{written(root, [GOOD, AWAY]).fingerprint}.parquet"
    if damage == "deleted":
        root.delete(path)
    else:
        root.write_bytes(path, root.read_bytes(path)[:-40])
    assert former(root).take(["0.jpg"]) == {}
    former(root).release(["0.jpg", "1.jpg"])


def test_a_whole_shard_that_waits_for_inputs_is_noted_too(root: Root) -> None:
    assert written(root, [GOOD], waits=True).fingerprint == WHOLE
    assert set(former(root).take(["0.jpg"])) == {"0.jpg"}


def test_a_shard_without_rows_gives_nothing(root: Root) -> None:
    written(root, [], waits=True)
    assert former(root).take(["0.jpg"]) == {}
    former(root).release([])
    assert unfinished_shards(root, SCOPE) == []


def test_rows_of_one_input_stay_together(root: Root) -> None:
    rows = [
        {"uri": uri, "version": "1", "frame": frame} | outcome
        for uri, frame, outcome in [("a", 0, GOOD), ("a", 1, GOOD), ("b", 0, GOOD), ("b", 1, AWAY), ("c", 0, AWAY)]
    ]
    write_outcome(root, "images", WHOLE, pa.Table.from_pylist(rows, schema=IMAGES), SCOPE)
    groups = FormerRows(root, "images", SCOPE, ("uri", "frame"), _uri, _begins)
    assert {key: len(rows) for key, rows in groups.take("abc").items()} == {"a": 2}


def _begins(row: dict[str, Any]) -> bool:
    return row["frame"] == 0
