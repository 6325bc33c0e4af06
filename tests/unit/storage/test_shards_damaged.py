"""A damaged file of a root is named in one line and made again, and hides nothing else."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest

from mien.flows.cli.browse import describe_root
from mien.storage import Root, find_good_shard, find_shard, list_manifests, open_table, read_set
from mien.storage.tables import former_manifest
from mien.tasks.sets.verify import verify
from tests.forging import manifest_of
from tests.small_root import GENERATED, PREPARED, prepare, small_root


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    small_root(folder)
    return folder


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Root:
    shutil.copytree(made / "root", tmp_path / "root")
    return Root(str(tmp_path / "root"))


@pytest.mark.parametrize("table", ["images", "faces", "heatmaps"])
@pytest.mark.parametrize("how", ["empty", "cut", "first byte", "middle byte", "last byte", "text", "another's"])
def test_a_damaged_shard_is_made_again(
    made: Path, root: Root, table: str, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = {name: dict(read_set(root, name).tables) for name in (PREPARED, GENERATED)}
    shards = manifest_of(root, table).shards
    path, other = (f"{table}/shards/{shard.fingerprint}.parquet" for shard in shards[:2])
    good = root.read_bytes(path)
    position = {"first byte": 0, "middle byte": len(good) // 2, "last byte": len(good) - 1}.get(how)
    bad = {
        "empty": b"",
        "cut": good[: len(good) // 2],
        "text": b"PAR1 not really PAR1",
        "another's": root.read_bytes(other),
    }
    if position is not None:
        bad[how] = good[:position] + bytes([good[position] ^ 1]) + good[position + 1 :]
    root.write_bytes(path, bad[how])
    with caplog.at_level(logging.WARNING, logger="mien.storage"):
        assert find_good_shard(root, table, shards[0].fingerprint) is None  # pyright: ignore[reportArgumentType]
        prepare(root, made / "photos")
    lines = [record.getMessage() for record in caplog.records]
    assert f"{root.uri(path)} is damaged: it is made again" in lines
    assert root.read_bytes(path) == good
    assert read_set(root, GENERATED).tables == before[GENERATED]
    # Photos whose shard cannot be read come last, so that the order of the shards may be another one.
    assert {shard.fingerprint for shard in manifest_of(root, table).shards} == {shard.fingerprint for shard in shards}
    assert verify(root, PREPARED).whole
    assert verify(root, GENERATED).whole


def test_what_is_good_is_found(root: Root) -> None:
    for table in ("images", "faces", "heatmaps", "pairs", "transfers"):
        for shard in manifest_of(root, table).shards:
            assert (
                find_good_shard(root, table, shard.fingerprint) == find_shard(root, table, shard.fingerprint) == shard
            )
    assert find_good_shard(root, "images", "0" * 32) is None


@pytest.mark.parametrize("table", ["images", "faces", "heatmaps"])
def test_a_damaged_manifest_is_written_again(made: Path, root: Root, table: str) -> None:
    manifest = manifest_of(root, table)
    path = f"{table}/manifests/{manifest.fingerprint}.json"
    good = root.read_bytes(path)
    root.write_bytes(path, good[:-20])
    assert former_manifest(root, PREPARED, manifest.table) is None
    assert list_manifests(root, manifest.table) == []
    told = describe_root(root.url)
    assert any("is damaged" in line for line in told)
    assert GENERATED in told
    prepare(root, made / "photos")
    assert root.read_bytes(path) == good


def test_a_damaged_set_hides_no_other(made: Path, root: Root, caplog: pytest.LogCaptureFixture) -> None:
    for path in (f"sets/{PREPARED}.json", f"sets/history/{PREPARED}/00000001.json"):
        root.write_bytes(path, b"{")
    told = describe_root(root.url)
    assert GENERATED in told
    assert PREPARED not in told
    assert open_table(root, "transfers", GENERATED).count_rows() == 12
    prepare(root, made / "photos")
    assert read_set(root, PREPARED).version == 2
    assert verify(root, PREPARED).whole
