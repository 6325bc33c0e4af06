"""Tables: shards that do not depend on who writes them, and commits that are all or nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from mien.storage import (
    Root,
    ShardRef,
    StorageError,
    TableName,
    TableRef,
    check_shard,
    commit,
    find_shard,
    fingerprint,
    list_manifests,
    open_table,
    read_manifest,
    read_shard,
    read_whole_shard,
    shards,
    write_set,
    write_shard,
)
from mien.storage.schemas import FACES, IMAGES, PAIRS, SCHEMAS, heatmaps_schema
from tests.paths import REPOSITORY


@pytest.fixture(params=["local", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Root:
    return Root(str(tmp_path / "a=b") if request.param == "local" else f"memory://{uuid4().hex}/root")


def _image(number: int, status: str = "ok", reason: str | None = None) -> dict[str, Any]:
    row = {
        "uri": f"photos/{number}.jpg",
        "version": f"{number}-0",
        "identity": "anna",
        "status": status,
        "reason": reason,
    }
    return row | {"image_id": fingerprint(number) if status == "ok" else None, "width_px": 92, "height_px": 112}


def _images(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=IMAGES)


def _shard(root: Root, first: int, count: int = 2) -> ShardRef:
    return write_shard(root, "images", fingerprint(first), _images(*map(_image, range(first, first + count))))


FACE = {
    "face_id": "f",
    "image_id": "i",
    "split": "train",
    "bbox_xyxy": [1.0, 2.0, 3.0, 4.0],
    "landmarks_xy": [0.5, 1.5] * 68,
    "source_to_crop": [1.0, 0.0, 0.1, 0.0, 1.0, 1e-9],
    "embedding": [0.25] * 128,
    "pose": [1.0, -2.0, 3.0],
    "crop": b"\x89PNG",
    "status": "ok",
}


def test_a_shard_is_read_as_written(root: Root) -> None:
    table = _images(_image(1), _image(2, "failed", "cannot be decoded"), _image(3, "rejected", "too small"))
    written = write_shard(root, "images", fingerprint("x"), table)

    expected = {"ok": 1, "rejected": 1, "failed": 1}
    assert written == ShardRef("images", fingerprint("x"), 3, expected, written.sha256)
    assert find_shard(root, "images", fingerprint("x")) == written
    assert find_shard(root, "images", fingerprint("x")) == written
    read = read_shard(root, "images", fingerprint("x"))
    assert read.equals(table)
    assert read.schema.equals(IMAGES, check_metadata=True)


def test_columns_are_read_in_the_order_asked_for(root: Root) -> None:
    _shard(root, 1)
    rows = read_shard(root, "images", fingerprint(1), ["status", "uri"])
    assert rows.to_pydict() == {"status": ["ok", "ok"], "uri": ["photos/1.jpg", "photos/2.jpg"]}
    with pytest.raises(StorageError, match="images has no column 'colour'; it has image_id, uri"):
        read_shard(root, "images", fingerprint(1), ["colour"])


def test_faces_keep_their_vectors_and_their_gaps(root: Root) -> None:
    rejected = {"face_id": "g", "image_id": "i", "split": "val", "status": "rejected", "reason": "no face found"}
    table = pa.Table.from_pylist([FACE, rejected, FACE | {"face_id": "h"}], schema=FACES)
    write_shard(root, "faces", fingerprint("x"), table)
    assert read_shard(root, "faces", fingerprint("x")).equals(table)
    ref = commit(root, "faces", [write_shard(root, "faces", fingerprint("x"), table)], {})
    assert open_table(root, "faces", ref.fingerprint).to_table().equals(table)


def test_no_rows_make_a_shard_too(root: Root) -> None:
    written = write_shard(root, "pairs", fingerprint("x"), PAIRS.empty_table())
    assert written.counts == {"ok": 0, "rejected": 0, "failed": 0}
    assert find_shard(root, "pairs", fingerprint("x")) == written
    assert read_shard(root, "pairs", fingerprint("x")).num_rows == 0


def test_a_shard_that_is_not_there(root: Root) -> None:
    assert find_shard(root, "images", fingerprint("x")) is None
    with pytest.raises(StorageError, match=r"shards/\w{32}.parquet is gone: run the step that made it again"):
        read_shard(root, "images", fingerprint("x"))


@pytest.mark.parametrize("change", ["cut", "foreign", "empty"])
def test_a_damaged_shard_says_what_to_do(root: Root, change: str) -> None:
    _shard(root, 1)
    path = f"images/shards/{fingerprint(1)}.parquet"
    foreign = pa.BufferOutputStream()
    pq.write_table(_images(_image(1)), foreign)
    content = {"cut": root.read_bytes(path)[:-9], "foreign": foreign.getvalue().to_pybytes(), "empty": b""}[change]
    root.write_bytes(path, content)
    with pytest.raises(StorageError, match=r"\.parquet is damaged: delete it and run the step"):
        find_shard(root, "images", fingerprint(1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"status": "fine"}, "images.status is one of ok, rejected, failed; not 'fine'"),
        ({"reason": "but"}, "images.reason must be null where the status is ok; not 'but'"),
        ({"status": "failed"}, "images.reason must say why a row is failed"),
        ({"status": "rejected", "reason": ""}, "images.reason must say why a row is rejected"),
        ({"failure": "source"}, "images.failure is source or content, of failed rows only; not 'source'"),
        ({"status": "failed", "reason": "x", "failure": "fate"}, "images.failure is source or content"),
        ({"uri": None}, "images.uri must have a value in each row; 1 are null"),
    ],
)
def test_rows_that_break_the_rules_are_refused(root: Root, change: dict[str, Any], message: str) -> None:
    with pytest.raises(StorageError, match=message):
        write_shard(root, "images", fingerprint("x"), _images(_image(1), _image(2) | change))
    assert find_shard(root, "images", fingerprint("x")) is None


def test_columns_that_are_not_the_tables_are_refused(root: Root) -> None:
    table = _images(_image(1))
    with pytest.raises(StorageError, match="images has the columns image_id, uri"):
        write_shard(root, "images", fingerprint("x"), table.drop_columns("frame"))
    with pytest.raises(StorageError, match="images has the columns image_id, uri"):
        write_shard(root, "images", fingerprint("x"), table.select(table.column_names[::-1]))
    wide = table.set_column(table.column_names.index("width_px"), "width_px", pa.array([92], pa.int64()))
    with pytest.raises(StorageError, match=r"images.width_px is int32; not int64"):
        write_shard(root, "images", fingerprint("x"), wide)


def test_names_that_are_none_are_refused(root: Root) -> None:
    with pytest.raises(StorageError, match="is no shard's fingerprint"):
        write_shard(root, "images", "latest", _images(_image(1)))
    with pytest.raises(StorageError, match="there is no table 'photos': choose one of images"):
        find_shard(root, "photos", fingerprint("x"))  # pyright: ignore[reportArgumentType]
    with pytest.raises(StorageError, match="there is no table 'photos': choose one of images"):
        open_table(root, "photos", "demo")  # pyright: ignore[reportArgumentType]


def test_how_the_rows_were_put_together_does_not_show_in_the_bytes(root: Root) -> None:
    whole = _images(*map(_image, range(6)))
    pieces = pa.concat_tables([whole.slice(0, 1), whole.slice(1, 3), whole.slice(4)])
    marked = pieces.replace_schema_metadata({"made": "by hand"})
    contents = set[bytes]()
    for table in (whole, pieces, marked):
        write_shard(root, "images", fingerprint("x"), table)
        contents.add(root.read_bytes(f"images/shards/{fingerprint('x')}.parquet"))
    assert len(contents) == 1


PARTS = ("jaw", "nose")
HEATMAPS = heatmaps_schema(PARTS, 4, 1.5, 128)


def _heatmaps(schema: pa.Schema = HEATMAPS) -> pa.Table:
    columns = [["a", "b"], [bytes(range(32)), None], ["ok", "rejected"], [None, "no face found"], [None, None]]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def test_heatmaps_keep_what_their_schema_says(root: Root) -> None:
    shard = write_shard(root, "heatmaps", fingerprint("x"), _heatmaps())
    assert read_shard(root, "heatmaps", fingerprint("x")).schema.equals(HEATMAPS, check_metadata=True)
    ref = commit(root, "heatmaps", [shard], {})
    dataset = open_table(root, "heatmaps", ref.fingerprint)
    assert dataset.schema.metadata[b"shape"] == b"2,4,4"
    assert dataset.to_table()["heatmap"].to_pylist() == [bytes(range(32)), None]


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {"parts": "jaw,nose"},
        {**(HEATMAPS.metadata or {}), b"parts": b"jaw"},
        {**HEATMAPS.metadata, b"scale": b"0"},
    ],
)
def test_heatmaps_without_their_shape_are_refused(root: Root, metadata: dict[bytes, bytes] | None) -> None:
    with pytest.raises(StorageError, match=r"heatmaps without their shape|heatmaps.heatmap is fixed_size_binary"):
        write_shard(root, "heatmaps", fingerprint("x"), _heatmaps(HEATMAPS.with_metadata(metadata)))


def test_a_committed_table_is_read_in_the_order_of_its_shards(root: Root) -> None:
    shards = [_shard(root, first) for first in (30, 10, 20)]
    ref = commit(root, "images", shards, {"code": "abc"})
    dataset = open_table(root, "images", ref.fingerprint)
    expected = [f"photos/{n}.jpg" for n in (30, 31, 10, 11, 20, 21)]
    assert dataset.to_table(columns=["uri"])["uri"].to_pylist() == expected
    assert dataset.to_table().schema.equals(IMAGES, check_metadata=True)
    assert dataset.count_rows() == 6
    assert dataset.head(3, columns=["uri"])["uri"].to_pylist() == expected[:3]
    assert dataset.to_table(filter=pc.field("uri") == "photos/11.jpg").num_rows == 1


def test_the_manifest_says_what_the_table_is_made_of(root: Root) -> None:
    shards = [_shard(root, 1), write_shard(root, "images", fingerprint(9), _images(_image(9, "failed", "torn")))]
    about = {"settings": {"sizes": [1, 2]}, "code": "abc"}
    ref = commit(root, "images", shards, about)
    manifest = read_manifest(root, "images", ref.fingerprint)

    assert manifest.shards == tuple(shards)
    assert manifest.about == about
    assert (manifest.rows, manifest.counts) == (3, {"ok": 2, "rejected": 0, "failed": 1})
    content = json.loads(root.read_bytes(f"images/manifests/{ref.fingerprint}.json"))
    assert (content["format"], content["table"], content["rows"]) == (2, "images", 3)
    assert ref == TableRef(root.url, "images", ref.fingerprint)
    assert ref.uri == f"{root.url}/images/manifests/{ref.fingerprint}.json"


def test_a_commit_is_named_by_its_table_shards_and_about(root: Root) -> None:
    a, b = _shard(root, 1), _shard(root, 2)
    ref = commit(root, "images", [a, b], {"x": [1]})
    content = root.read_bytes(f"images/manifests/{ref.fingerprint}.json")
    assert commit(root, "images", [a, b], {"x": (1,)}) == ref
    assert root.read_bytes(f"images/manifests/{ref.fingerprint}.json") == content

    others = [commit(root, "images", [b, a], {"x": [1]}), commit(root, "images", [a], {"x": [1]})]
    others += [commit(root, "images", [a, b], {"x": [2]}), commit(root, "images", [], {"x": [1]})]
    names = {ref.fingerprint, *(other.fingerprint for other in others)}
    assert len(names) == 5
    assert [manifest.fingerprint for manifest in list_manifests(root, "images")] == sorted(names)
    assert commit(root, "faces", [], {"x": [1]}).fingerprint not in names


def test_a_commit_of_foreign_or_repeated_shards_is_refused(root: Root) -> None:
    shard = _shard(root, 1)
    with pytest.raises(StorageError, match="is of images: it cannot be committed to faces"):
        commit(root, "faces", [shard], {})
    with pytest.raises(StorageError, match="a shard is listed twice for images"):
        commit(root, "images", [shard, shard], {})


def test_a_shard_without_rows_is_listed_once_however_often_it_comes(root: Root) -> None:
    empty = write_shard(root, "images", fingerprint("nothing"), _images())
    full = _shard(root, 0)
    ref = commit(root, "images", [empty, full, empty], {})
    assert [shard.fingerprint for shard in read_manifest(root, "images", ref.fingerprint).shards] == [
        empty.fingerprint,
        full.fingerprint,
    ]
    assert commit(root, "images", [empty, full], {}) == ref


@pytest.mark.parametrize("table", [*SCHEMAS, "heatmaps"])
def test_an_empty_table_has_its_columns(root: Root, table: TableName) -> None:
    ref = commit(root, table, [], {})
    rows = open_table(root, table, ref.fingerprint).to_table()
    assert rows.num_rows == 0
    assert rows.column_names[-3:] == ["status", "reason", "failure"]
    assert read_manifest(root, table, ref.fingerprint).counts == {"ok": 0, "rejected": 0, "failed": 0}


def test_a_table_is_opened_by_set_fingerprint_or_the_beginning_of_one(root: Root) -> None:
    ref = commit(root, "images", [_shard(root, 1)], {})
    write_set(root, "demo", {"images": ref.fingerprint})
    for name in ("demo", ref.fingerprint, ref.fingerprint[:6], ref.fingerprint[:12]):
        assert open_table(root, "images", name).count_rows() == 2
        assert open_table(root.url, "images", name).count_rows() == 2


def test_the_name_of_a_set_goes_before_the_beginning_of_a_fingerprint(root: Root) -> None:
    one, two = commit(root, "images", [_shard(root, 1)], {}), commit(root, "images", [_shard(root, 5, 3)], {})
    write_set(root, one.fingerprint[:8], {"images": two.fingerprint})
    assert open_table(root, "images", one.fingerprint[:8]).count_rows() == 3


def test_an_ambiguous_beginning_is_refused(root: Root) -> None:
    for end in ("0", "1"):
        root.write_bytes(f"images/manifests/{'abcdef' * 5 + '0' + end}.json", b"{}")
    with pytest.raises(StorageError, match="abcdef begins 2 fingerprints of images: give more digits"):
        open_table(root, "images", "abcdef")


@pytest.mark.parametrize("name", ["nobody", "abcdef", "00000", fingerprint("x")])
def test_an_unknown_name_lists_the_known_ones(root: Root, name: str) -> None:
    ref = commit(root, "images", [_shard(root, 1)], {})
    write_set(root, "demo", {"images": ref.fingerprint})
    with pytest.raises(
        StorageError, match=rf"has no images named '{name}'; it has sets demo; versions {ref.fingerprint[:12]}$"
    ):
        open_table(root, "images", name)


def test_a_set_without_the_table_says_which_it_has(root: Root) -> None:
    write_set(root, "demo", {"images": commit(root, "images", [], {}).fingerprint})
    with pytest.raises(StorageError, match=r"the set 'demo' in .* has no faces; it has images"):
        open_table(root, "faces", "demo")


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"format": 2, "shards": [{}]}'])
def test_a_damaged_manifest_says_what_to_do(root: Root, content: bytes) -> None:
    root.write_bytes(f"images/manifests/{fingerprint('x')}.json", content)
    with pytest.raises(StorageError, match=r"\.json is damaged: run the flow"):
        read_manifest(root, "images", fingerprint("x"))


@pytest.mark.parametrize("number", [1, 4])
def test_another_format_is_refused(root: Root, number: int) -> None:
    root.write_bytes(f"images/manifests/{fingerprint('x')}.json", json.dumps({"format": number}).encode())
    with pytest.raises(
        StorageError, match=rf"has format {number}, not 2 or 3: prepare the set again if .* upgrade mien"
    ):
        read_manifest(root, "images", fingerprint("x"))


CHANGES = {
    "a shard is taken out": lambda m: m["shards"].pop(),
    "a shard is listed twice": lambda m: m["shards"].append(m["shards"][0]),
    "the order is turned round": lambda m: m["shards"].reverse(),
    "the settings are others": lambda m: m["about"].update(size_px=999),
    "the rows are others": lambda m: m.update(rows=99),
    "the counts are others": lambda m: m["shards"][0]["counts"].update(ok=1, failed=1),
    "it is of another table": lambda m: m.update(table="faces"),
    "a hash is another": lambda m: m["shards"][0].update(sha256="0" * 64),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_manifest_is_noticed_wherever_it_is_read(root: Root, change: str) -> None:
    ref = commit(root, "images", [_shard(root, 1), _shard(root, 5, 3)], {"size_px": 128})
    path = f"images/manifests/{ref.fingerprint}.json"
    content = json.loads(root.read_bytes(path))
    CHANGES[change](content)
    root.write_bytes(path, json.dumps(content).encode())
    with pytest.raises(StorageError, match="is damaged"):
        read_manifest(root, "images", ref.fingerprint)
    with pytest.raises(StorageError, match="is damaged"):
        open_table(root, "images", ref.fingerprint)


def test_a_shard_that_was_written_anew_or_is_anothers_is_noticed_by_each_reader(root: Root) -> None:
    one, two = _shard(root, 1), _shard(root, 5)
    ref = commit(root, "images", [one, two], {})
    paths = [f"images/shards/{shard.fingerprint}.parquet" for shard in (one, two)]
    good = [root.read_bytes(path) for path in paths]

    def noticed() -> None:
        with pytest.raises(StorageError, match="is damaged"):
            read_shard(root, "images", one.fingerprint)
        with pytest.raises(StorageError, match="is damaged"):
            open_table(root, "images", ref.fingerprint).to_table()
        with pytest.raises(StorageError, match="is damaged"):
            find_shard(root, "images", one.fingerprint)
        with pytest.raises(StorageError, match=r"is damaged|is not the file"):
            check_shard(root, one)

    root.write_bytes(paths[0], good[1])  # another shard's file
    noticed()
    rows = pq.read_table(pa.BufferReader(good[0]))
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink)  # the same rows, by another program
    root.write_bytes(paths[0], sink.getvalue().to_pybytes())
    noticed()
    # Sealed again, with other rows: only the manifest can tell.
    root.write_bytes(paths[0], good[0])
    write_shard(root, "images", one.fingerprint, _images(_image(8), _image(9)))
    with pytest.raises(StorageError, match="is not the file that was committed"):
        open_table(root, "images", ref.fingerprint).to_table()
    with pytest.raises(StorageError, match="is not the file that was committed"):
        check_shard(root, one)


def test_each_flipped_bit_is_noticed_and_no_reader_gives_another_value(root: Root) -> None:
    shard = _shard(root, 1)
    ref = commit(root, "images", [shard], {})
    path = f"images/shards/{shard.fingerprint}.parquet"
    good, rows = root.read_bytes(path), read_shard(root, "images", shard.fingerprint)
    assert open_table(root, "images", ref.fingerprint).to_table().equals(rows)
    random = np.random.default_rng(1)
    for position in random.choice(len(good) * 8, 150, replace=False):
        bad = bytearray(good)
        bad[position // 8] ^= 1 << int(position % 8)
        root.write_bytes(path, bytes(bad))
        with pytest.raises(StorageError, match="is damaged"):
            check_shard(root, shard)
        with pytest.raises(StorageError, match="is damaged"):
            read_shard(root, "images", shard.fingerprint)
        with pytest.raises(StorageError, match="is damaged"):
            open_table(root, "images", ref.fingerprint).to_table()
        try:
            some = read_shard(root, "images", shard.fingerprint, ["identity"])
        except StorageError:
            continue
        assert some.equals(rows.select(["identity"]))  # the flip is in a column that was not asked for


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_shard_is_noticed(root: Root, share: float) -> None:
    shard = _shard(root, 1)
    path = f"images/shards/{shard.fingerprint}.parquet"
    good = root.read_bytes(path)
    root.write_bytes(path, good[: int(share * len(good))])
    for look in (find_shard, read_shard):
        with pytest.raises(StorageError, match="is damaged: delete it and run the step that made it again"):
            look(root, "images", shard.fingerprint)


KILLED_BEFORE_COMMIT = """
import os, signal, sys
import pyarrow as pa
from mien.storage import Root, commit, find_shard, fingerprint, write_shard
from mien.storage.schemas import IMAGES

root, killed = Root(sys.argv[1]), sys.argv[2] == "killed"
shards = []
for number in range(2):
    name = fingerprint(number)
    found = find_shard(root, "images", name)
    print("found" if found else "written", flush=True)
    row = {"image_id": name, "uri": str(number), "version": "0", "status": "ok"}
    shards.append(found or write_shard(root, "images", name, pa.Table.from_pylist([row], schema=IMAGES)))
    if killed:
        os.kill(os.getpid(), signal.SIGKILL)
print(commit(root, "images", shards, {}).fingerprint)
"""


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", KILLED_BEFORE_COMMIT, *arguments]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


def test_killed_between_shard_and_manifest_nothing_is_visible_and_a_rerun_completes(tmp_path: Path) -> None:
    root = Root(str(tmp_path / "root"))
    killed = _run(root.url, "killed")
    assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, "written\n")
    assert root.list("images/shards") == [f"{fingerprint(0)}.parquet"]
    assert list_manifests(root, "images") == []
    with pytest.raises(StorageError, match="it has sets none; versions none"):
        open_table(root, "images", fingerprint("any"))

    again = _run(root.url, "whole")
    assert again.stderr == ""
    first, second, table = again.stdout.split()
    assert (first, second) == ("found", "written")
    assert open_table(root, "images", table).to_table()["uri"].to_pylist() == ["0", "1"]


WRITTEN_AT_ONCE = """
import sys
import pyarrow as pa
from mien.storage import Root, fingerprint, write_shard
from mien.storage.schemas import FACES

rows = [{"face_id": fingerprint(n), "image_id": "i", "split": "train", "embedding": [n / 7] * 512, "crop": b"x" * n,
         "status": "ok"} for n in range(200)]
table = pa.Table.from_pylist(rows, schema=FACES)
print("ready", flush=True)
sys.stdin.readline()
for _ in range(20):
    write_shard(Root(sys.argv[1]), "faces", fingerprint("x"), table)
"""


def test_two_processes_that_write_the_same_shard_at_once_write_the_same_bytes(tmp_path: Path) -> None:
    shared, alone = Root(str(tmp_path / "shared")), Root(str(tmp_path / "alone"))
    command = [sys.executable, "-c", WRITTEN_AT_ONCE]
    writers = [
        subprocess.Popen([*command, root.url], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for root in (shared, shared, alone)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    path = f"faces/shards/{fingerprint('x')}.parquet"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    while any(writer.poll() is None for writer in writers):
        # Never half a shard, whenever one looks.
        assert (
            find_shard(shared, "faces", fingerprint("x")) is None
            or read_shard(shared, "faces", fingerprint("x")).num_rows == 200
        )
    for writer in writers:
        writer.communicate()
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert shared.read_bytes(path) == alone.read_bytes(path)
    assert [file.name for file in (tmp_path / "shared/faces/shards").iterdir()] == [path.rsplit("/", 1)[-1]]


def test_a_shard_of_a_version_without_a_column_is_read_with_nulls(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = pa.schema([field for field in SCHEMAS["images"] if field.name != "failure"])
    rows = _images(_image(1), _image(2) | {"status": "failed", "reason": "x"}).select(lacking.names)
    with monkeypatch.context() as patch:
        patch.setitem(SCHEMAS, "images", lacking)
        patch.setattr(shards, "_check_outcomes", lambda *_: None)
        shard = write_shard(root, "images", fingerprint("old"), rows)
    ref = commit(root, "images", [shard], {})
    assert open_table(root, "images", ref.fingerprint).to_table()["failure"].to_pylist() == [None, None]
    assert read_shard(root, "images", shard.fingerprint).column_names == SCHEMAS["images"].names
    assert read_shard(root, "images", shard.fingerprint, ["failure", "uri"])["failure"].null_count == 2
    assert read_whole_shard(root, shard, ["status", "failure"])["failure"].to_pylist() == [None, None]
