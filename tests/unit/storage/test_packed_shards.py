"""The list of a table of very many shards: as short as it can be, and held against its name as any other."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mien.storage import (
    Root,
    ShardRef,
    StorageError,
    commit,
    fingerprint,
    open_table,
    read_manifest,
    tables,
    write_shard,
)
from mien.storage.packed_shards import PACKED_FROM, pack, unpack
from mien.storage.schemas import IMAGES


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(str(tmp_path))


def made_up(count: int) -> list[ShardRef]:
    """Shards of 512 rows each; the last one has fewer, and some that failed."""
    names = [fingerprint(number) for number in range(count)]
    full = [ShardRef("pairs", name, 512, {"ok": 512, "rejected": 0, "failed": 0}, 2 * name) for name in names]
    return [*full[:-1], ShardRef("pairs", names[-1], 9, {"ok": 7, "rejected": 0, "failed": 2}, full[-1].sha256)]


def test_a_long_list_is_packed_and_read_as_it_was(root: Root) -> None:
    shards = made_up(PACKED_FROM)
    ref = commit(root, "pairs", shards, {"code": "abc"})
    manifest = read_manifest(root, "pairs", ref.fingerprint)
    assert manifest.shards == tuple(shards)
    assert (manifest.rows, manifest.counts["failed"]) == (512 * (PACKED_FROM - 1) + 9, 2)
    data = root.read_bytes(f"pairs/manifests/{ref.fingerprint}.json")
    assert json.loads(data)["format"] == 3
    assert len(data) < 75 * PACKED_FROM
    assert commit(root, "pairs", shards, {"code": "abc"}) == ref
    assert root.read_bytes(f"pairs/manifests/{ref.fingerprint}.json") == data


def test_a_list_of_one_less_is_one_that_people_read(root: Root) -> None:
    ref = commit(root, "pairs", made_up(PACKED_FROM - 1), {})
    content = json.loads(root.read_bytes(f"pairs/manifests/{ref.fingerprint}.json"))
    assert content["format"] == 2
    assert content["shards"][0]["rows"] == 512


def test_rows_of_a_packed_list_are_read_in_its_order(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "PACKED_FROM", 2)
    shards: list[ShardRef] = []
    for number in (3, 1, 2):
        row = {"uri": str(number), "version": "0", "identity": None, "status": "failed", "reason": "torn"}
        table = pa.Table.from_pylist([dict.fromkeys(IMAGES.names) | row], schema=IMAGES)
        shards.append(write_shard(root, "images", fingerprint(number), table))
    ref = commit(root, "images", shards, {})
    assert json.loads(root.read_bytes(f"images/manifests/{ref.fingerprint}.json"))["format"] == 3
    assert open_table(root, "images", ref.fingerprint).to_table()["uri"].to_pylist() == ["3", "1", "2"]


def test_a_list_that_was_written_one_by_one_is_read_however_long(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as before:
        before.setattr(tables, "PACKED_FROM", 100)
        ref = commit(root, "pairs", made_up(3), {})
    monkeypatch.setattr(tables, "PACKED_FROM", 2)
    assert read_manifest(root, "pairs", ref.fingerprint).shards == tuple(made_up(3))


def _changed(text: str) -> str:
    data = bytearray(base64.b64decode(text))
    data[0] ^= 1
    return base64.b64encode(data).decode()


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "another shard": lambda m: m["shards"].update(fingerprints=_changed(m["shards"]["fingerprints"])),
    "another seal": lambda m: m["shards"].update(sha256=_changed(m["shards"]["sha256"])),
    "a seal too few": lambda m: m["shards"].update(sha256=m["shards"]["sha256"][:-44]),
    "half a fingerprint": lambda m: m["shards"].update(fingerprints=m["shards"]["fingerprints"][:-24]),
    "no base64": lambda m: m["shards"].update(which="?" * 16),
    "other counts": lambda m: m["shards"]["different"][0].__setitem__(1, 511),
    "counts of a status too few": lambda m: m["shards"]["different"][0].pop(),
    "counts that are not there": lambda m: m["shards"]["different"].pop(),
    "a column is away": lambda m: m["shards"].pop("which"),
    "a line for each": lambda m: m.update(shards=[]),
    "another format": lambda m: m.update(format=2),
    "other settings": lambda m: m["about"].update(x=2),
    "other rows": lambda m: m.update(rows=1),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_list_is_damaged(root: Root, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    monkeypatch.setattr(tables, "PACKED_FROM", 2)
    ref = commit(root, "pairs", made_up(4), {"x": 1})
    path = f"pairs/manifests/{ref.fingerprint}.json"
    content = json.loads(root.read_bytes(path))
    CHANGES[change](content)
    root.write_bytes(path, json.dumps(content).encode())
    with pytest.raises(StorageError, match="is damaged: run the flow that made it again"):
        read_manifest(root, "pairs", ref.fingerprint)


@pytest.mark.parametrize("wrong", [{"fingerprint": "ab"}, {"sha256": "z" * 64}, {"fingerprint": "é" * 32}])
def test_what_is_no_shard_is_not_packed(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"hexadecimal|fromhex"):
        pack([replace(made_up(1)[0], **wrong)])


def test_counts_that_many_shards_share_are_kept_once() -> None:
    packed = pack(made_up(5))
    assert packed["different"] == [[512, 512, 0, 0], [9, 7, 0, 2]]
    one, other = unpack("pairs", packed)[:2]
    assert one.counts is other.counts
