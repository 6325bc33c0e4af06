"""A shard is named by what decides it: a machine that would make another one makes none."""

from __future__ import annotations

from pathlib import Path

import pytest

from mien.storage import Root, ShardRef
from mien.tasks.errors import HopelessError
from mien.tasks.runtime.stage import Stage, make_shard

NAMED_BY: list[str] = ["dlib 20.0"]


def decides(_root: Root, number: int, _settings: None) -> dict[str, object]:
    return {"number": number, "detector": NAMED_BY[0]}


def make(_root: Root, name: str, number: int, _settings: None) -> ShardRef:
    return ShardRef("pairs", name, number, {"ok": number, "rejected": 0, "failed": 0}, "0" * 64)


STAGE = Stage("make", "shards", "pairs", __name__, decides, make, "it")


def test_a_machine_that_calls_the_shard_otherwise_makes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Root(str(tmp_path))
    name = STAGE.name(root, 3, None)
    assert make_shard(STAGE, root, 3, None, name, name).fingerprint == name
    monkeypatch.setattr("tests.unit.tasks.runtime.test_stage.NAMED_BY", ["dlib 19.0"])
    assert make_shard(STAGE, root, 3, None, name).fingerprint == name, "on the machine that named it nobody asks"
    with pytest.raises(HopelessError, match="install the same versions of mien, its libraries and its detector"):
        make_shard(STAGE, root, 3, None, name, name)


def test_a_shard_without_some_items_has_another_name_and_is_made(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    other = "0" * 32
    assert make_shard(STAGE, root, 3, None, other, STAGE.name(root, 3, None)).fingerprint == other
