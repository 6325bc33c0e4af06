"""The second pass over `faces`: which shards are written anew, and that nothing is compared twice."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mien.storage import Root, ShardRef, commit, fingerprint, read_shard, write_set, write_shard
from mien.storage.schemas import FACES
from mien.tasks.errors import UsageError
from mien.tasks.prepare import compare as comparison
from mien.tasks.prepare.compare import Compared, CompareSettings, check_rules, compare_faces
from mien.tasks.prepare.detect import DetectSettings
from tests.sample_faces import orl_faces
from tests.unit.tasks.prepare.test_duplicates import HASHES, row

SETTINGS = CompareSettings(DetectSettings())
CLUSTER = CompareSettings(DetectSettings(identity="cluster"))


def shard(root: Root, *rows: dict[str, Any]) -> ShardRef:
    name = fingerprint([each["image_id"] for each in rows])
    return write_shard(root, "faces", name, pa.Table.from_pylist(list(rows), FACES))


def compare(root: Root, shards: list[ShardRef], settings: CompareSettings = SETTINGS) -> Compared:
    return compare_faces(root, "set", shards, settings)


def test_only_shards_with_duplicates_are_written_anew(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    shards = [shard(root, row("x", HASHES[0])), shard(root, row("y", HASHES[1]), row("z", HASHES[0]))]
    first, second = compare(root, shards).shards
    assert first == shards[0]
    assert second.fingerprint != shards[1].fingerprint
    assert second.counts == {"ok": 1, "rejected": 1, "failed": 0}
    kept, duplicate = read_shard(root, "faces", second.fingerprint).to_pylist()
    assert kept == read_shard(root, "faces", shards[1].fingerprint).to_pylist()[0]
    assert duplicate["duplicate_of"] == fingerprint("x")
    assert duplicate["reason"]
    # Again, and without the photo that the other was a duplicate of.
    assert compare(root, shards).shards == [first, second]
    assert compare(root, shards[1:]).shards == shards[1:]


def test_what_was_compared_is_found_and_a_deleted_shard_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Root(str(tmp_path))
    shards = [shard(root, row("x", HASHES[0])), shard(root, row("y", HASHES[1]), row("z", HASHES[0]))]
    done = compare(root, shards)

    def no_reading(*_: object) -> None:
        raise AssertionError("nothing is new")

    with monkeypatch.context() as patched:
        patched.setattr(comparison, "read_shard", no_reading)
        assert compare(root, shards) == done
    root.delete(f"faces/shards/{done.shards[1].fingerprint}.parquet")
    assert compare(root, shards) == done


def of_people(root: Root, places: range) -> list[ShardRef]:
    """Shards of five real faces each, without identities."""
    embeddings, _ = orl_faces(4, 5)
    random = np.random.default_rng(0)
    hashes = [random.bytes(32) for _ in embeddings]
    rows = [row(f"{n}", hashes[n], None) | {"embedding": embeddings[n]} for n in places]
    return [shard(root, *rows[start : start + 5]) for start in range(0, len(rows), 5)]


def test_groups_are_identities_everywhere_and_keep_their_names_as_photos_are_added(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    some = compare(root, of_people(root, range(15)), CLUSTER)
    about = {"settings": {"identity": "cluster"}, "splits": asdict(CLUSTER.splits), "compared": some.summary}
    write_set(root, "set", {"faces": commit(root, "faces", some.shards, about).fingerprint})
    names = [r["identity"] for s in some.shards for r in read_shard(root, "faces", s.fingerprint).to_pylist()]
    assert None not in names
    assert 3 <= len(set(names)) <= 5
    assert some.summary["people"]["people"] == len(set(names))
    more = compare(root, of_people(root, range(20)), CLUSTER)
    later = [r["identity"] for s in more.shards for r in read_shard(root, "faces", s.fingerprint).to_pylist()]
    assert later[:15] == names
    assert set(later[15:]).isdisjoint(names)
    # Shards whose people are as they were stay as they are.
    assert more.shards[:3] == some.shards


def test_what_cannot_go_together_is_told() -> None:
    check_rules("cluster", False, 0.5)
    check_rules("source", True, None)
    with pytest.raises(UsageError, match="takes no labels"):
        check_rules("cluster", True, None)
    with pytest.raises(UsageError, match="give both or neither"):
        check_rules("source", False, 0.5)
