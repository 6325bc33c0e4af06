"""`mien verify` must not call a set whole that is not: damage of every kind, in three degrees, and flipped bits."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mien.flows.verify import VerifiedSet
from mien.model.images.codec import decode_rgb
from mien.model.images.provenance import encode_image
from mien.storage import Root, fingerprint, read_set, write_set
from mien.tasks.sets.own_mark import own_mark
from mien.tasks.sets.shard_check import check_rows
from mien.tasks.sets.verify import Verified, verify
from mien.tasks.transfer.recompute import recompute
from tests.forging import Change, Degree, commit_anew, damage, manifest_of
from tests.small_root import GENERATED, PREPARED, draw_photos, generate, prepare, rows_of, small_root

Rows = list[dict[str, Any]]
FURTHER = ("further_source_ids", "further_image_ids")
FLIPS = 300


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    small_root(folder)
    return folder


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Root:
    shutil.copytree(made / "root", tmp_path / "root")
    return Root(str(tmp_path / "root"))


def faults(root: Root) -> list[str]:
    return [*verify(root, GENERATED).faults, *verify(root, PREPARED).faults]


def rows_of_made(root: Root, table: Any) -> Rows:
    return rows_of(root, table, manifest_of(root, table).fingerprint)


def first_set(column: str, value: Any) -> Change:
    def change(rows: Rows) -> Rows:
        rows[0][column] = value(rows[0][column]) if callable(value) else value
        return rows

    return change


def moved(column: str) -> Change:
    def change(rows: Rows) -> Rows:
        values = [row[column] for row in rows]
        return [row | {column: value} for row, value in zip(rows, values[1:] + values[:1], strict=True)]

    return change


def all_set(column: str, value: Callable[[Any], Any]) -> Change:
    return lambda rows: [row | {column: value(row[column])} for row in rows]


def without_last(rows: Rows) -> Rows:
    return rows[:-1]


def first_twice(rows: Rows) -> Rows:
    return [rows[0], *rows]


def rejected(rows: Rows) -> Rows:
    return [rows[0] | {"status": "rejected", "reason": "invented"}, *rows[1:]]


def other_picture(rows: Rows) -> Rows:
    """Of another face, with its hash."""
    rows[0] |= {"image": rows[1]["image"], "sha256": hashlib.sha256(rows[1]["image"]).hexdigest()}
    return rows


def painted_picture(rows: Rows) -> Rows:
    """Another picture without a mark, with its hash."""
    import numpy as np

    data = encode_image(np.zeros((16, 16, 3), np.uint8), "png", {}, 95)
    rows[0] |= {"image": data, "sha256": hashlib.sha256(data).hexdigest()}
    return rows


def other_pair(rows: Rows) -> Rows:
    """The expression of another driver, with an id that does not fit."""
    rows[0]["expression_face_id"] = rows[1]["expression_face_id"]
    return rows


def further(column: str, change: Callable[[list[str], Rows], list[str]]) -> Change:
    """Other further sources in the first row."""

    def changed(rows: Rows) -> Rows:
        rows[0][column] = change(rows[0][column], rows)
        return rows

    return changed


def marked(rows: Rows) -> Rows:
    """The picture of the first row names its further sources in another order."""
    row = rows[0]
    faces = row["identity_face_id"], row["expression_face_id"]
    mark = own_mark(row["model_uri"], row["model_sha256"], *faces, row["output_id"], row["further_source_ids"][::-1])
    data = encode_image(decode_rgb(row["image"]), "png", mark, 95)
    rows[0] |= {"image": data, "sha256": hashlib.sha256(data).hexdigest()}
    return rows


DAMAGES: dict[str, tuple[str, Change]] = {
    "a photo's person": ("images", first_set("identity", "somebody else")),
    "a photo's expression": ("images", first_set("expression", "smiling")),
    "a photo's consent": ("images", all_set("consent", lambda _: "signed")),
    "a photo's licence": ("images", all_set("licence", lambda _: "CC0")),
    "a photo's id": ("images", first_set("image_id", "0" * 64)),
    "a photo less": ("images", without_last),
    "a photo twice": ("images", first_twice),
    "a photo rejected": ("images", rejected),
    "a face's person": ("faces", first_set("identity", "person1")),
    "a face without a person": ("faces", first_set("identity", None)),
    "a face's expression": ("faces", moved("expression")),
    "a face's split": ("faces", all_set("split", lambda _: "test")),
    "crops moved": ("faces", moved("crop")),
    "a crop that is none": ("faces", first_set("crop", b"\x89PNG")),
    "no crop": ("faces", first_set("crop", None)),
    "landmarks moved": ("faces", first_set("landmarks_xy", lambda v: [x + 3 for x in v])),
    "a face's id": ("faces", first_set("face_id", fingerprint("another"))),
    "a face's photo": ("faces", moved("image_id")),
    "a face's box": ("faces", first_set("bbox_xyxy", [0.0, 0.0, 9.0, 9.0])),
    "a face less": ("faces", without_last),
    "a face twice": ("faces", first_twice),
    "commercial use": ("faces", all_set("commercial_use", lambda value: not value)),
    "another detector": ("faces", all_set("detector", lambda _: "dlib")),
    "other terms": ("faces", all_set("weights_licences", lambda _: "anything goes")),
    "heatmaps all black": ("heatmaps", all_set("heatmap", lambda value: bytes(len(value)))),
    "heatmaps moved": ("heatmaps", moved("face_id")),
    "no heatmap": ("heatmaps", first_set("heatmap", None)),
    "a heatmap less": ("heatmaps", without_last),
    "a heatmap rejected": ("heatmaps", rejected),
    "a pair's seed": ("pairs", first_set("seed", 7)),
    "a pair's id": ("pairs", first_set("pair_id", fingerprint("another"))),
    "a pair's driver": ("pairs", other_pair),
    "a pair's person": ("pairs", first_set("identity", "person2")),
    "a pair's expression": ("pairs", first_set("expression", "smiling")),
    "a pair's rank": ("pairs", all_set("rank", lambda _: 0)),
    "no further sources": ("pairs", first_set("further_source_ids", [])),
    "further sources in another order": ("pairs", further("further_source_ids", lambda ids, _: ids[::-1])),
    "a further source twice": ("pairs", further("further_source_ids", lambda ids, _: [ids[0], ids[0]])),
    "the source once more": ("pairs", further("further_source_ids", lambda ids, rows: [rows[0]["identity_face_id"]])),
    "a further source that is nowhere": ("pairs", first_set("further_source_ids", [fingerprint("nowhere")])),
    "a pair less": ("pairs", without_last),
    "a pair twice": ("pairs", first_twice),
    "a transfer's person": ("transfers", first_set("identity", "person2")),
    "a transfer's expression": ("transfers", moved("expression")),
    "a transfer's split": ("transfers", all_set("split", lambda _: "test")),
    "a transfer's consent": ("transfers", all_set("consent", lambda _: "signed")),
    "a transfer's licence": ("transfers", all_set("licence", lambda _: "CC0")),
    "a transfer's photo": ("transfers", first_set("source_image_id", "0" * 64)),
    "a transfer's further sources": ("transfers", first_set("further_source_ids", None)),
    "a transfer's further photos": ("transfers", further("further_image_ids", lambda ids, _: ids[::-1])),
    "no further photos": ("transfers", first_set("further_image_ids", None)),
    "a picture with other further sources": ("transfers", marked),
    "another model": ("transfers", all_set("model_sha256", lambda _: "0" * 64)),
    "another version": ("transfers", all_set("model_uri", lambda _: "models:/g/2")),
    "another run": ("transfers", all_set("run_id", lambda _: "another")),
    "not synthetic": ("transfers", all_set("synthetic", lambda _: False)),
    "a transfer's id": ("transfers", first_set("output_id", fingerprint("another"))),
    "a transfer's rank": ("transfers", first_set("rank", 9)),
    "a transfer's seed": ("transfers", first_set("seed", 9)),
    "pictures moved": ("transfers", moved("image")),
    "another picture and its hash": ("transfers", other_picture),
    "a painted picture and its hash": ("transfers", painted_picture),
    "no picture": ("transfers", first_set("image", None)),
    "a transfer less": ("transfers", without_last),
    "a transfer twice": ("transfers", first_twice),
    "settings mixed": ("transfers", first_set("settings", "other")),
}
ONLY_THE_SEAL = {"a photo's consent", "a photo's licence"}
"""A prepared set whose tables were all written anew, with terms that its source did not give, is another set, and
whole; what was generated from it before gives it away."""


@pytest.mark.parametrize("degree", ["raw", "sealed", "committed"])
@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_noticed(root: Root, name: str, degree: Degree) -> None:
    table, change = DAMAGES[name]
    damage(root, table, change, degree)
    found = verify(root, GENERATED)
    assert found.faults, f"{name} ({degree}) is called whole"
    assert not found.whole
    if table not in ("pairs", "transfers") and degree == "committed" and name not in ONLY_THE_SEAL:
        assert verify(root, PREPARED).faults, f"{name} ({degree}) is called whole in the prepared set"


def both(column: str, change: Callable[[dict[str, Any]], Any]) -> Change:
    return lambda rows: [row | {column: change(row)} for row in rows]


def test_a_further_source_of_another_person_or_in_the_driver_s_photo_is_noticed(root: Root) -> None:
    """Though plan and outcome agree on it: both were written anew."""
    for table in ("pairs", "transfers"):
        damage(root, table, both("further_source_ids", lambda row: [row["expression_face_id"]]), "committed")
    found = " ".join(verify(root, GENERATED).faults)
    assert "pairs have a further source that shows another person" in found
    assert "pairs have a further source in the driver's photo" in found
    assert "rows have other further photos than their further sources" in found


def test_a_further_source_that_is_gone_or_refused_is_noticed(root: Root) -> None:
    further_ids = {i for row in rows_of_made(root, "pairs") for i in row["further_source_ids"]}
    refused = {"status": "rejected", "reason": "too dark"}
    for change, told in (
        (lambda rows: [row for row in rows if row["face_id"] not in further_ids], "that faces does not have"),
        (lambda rows: [row | (refused if row["face_id"] in further_ids else {}) for row in rows], "usable faces"),
    ):
        damage(root, "faces", change, "committed")
        found = [fault for fault in verify(root, GENERATED).faults if "further_source_ids" in fault]
        assert any(told in fault for fault in found), found


@pytest.mark.parametrize(("column", "value"), [("consent", "withdrawn"), ("licence", "CC-BY-NC-4.0")])
def test_the_terms_of_a_further_photo_are_terms_of_the_face(root: Root, column: str, value: str) -> None:
    rows = rows_of_made(root, "transfers")
    photos = {photo for row in rows for photo in row["further_image_ids"]}
    assert not photos & {row["source_image_id"] for row in rows}
    change = lambda rows: [row | ({column: value} if row["image_id"] in photos else {}) for row in rows]  # noqa: E731
    damage(root, "images", change, "committed")
    assert any(f"rows have another {column} than their photo" in fault for fault in verify(root, GENERATED).faults)


def test_tables_of_earlier_versions_without_further_sources_are_whole(tmp_path: Path) -> None:
    """Their columns are read as null."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.small_root.FURTHER", 0)
        root = small_root(tmp_path)
    damage(root, "pairs", both("further_source_ids", lambda row: None), "committed")
    damage(root, "transfers", lambda rows: [row | dict.fromkeys(FURTHER) for row in rows], "committed")
    assert verify(root, GENERATED).faults == []


def test_what_is_whole_is_called_so_and_says_what_was_compared(root: Root) -> None:
    for name, shards in ((GENERATED, 10), (PREPARED, 6)):
        found = verify(root, name)
        assert found.whole, [*found.faults, *found.left_out]
        assert found.done["shards, every byte"] == shards
        assert found.done["heatmaps rendered again"] == found.done["faces with their images"] == 12
    assert verify(root, GENERATED).done["transfers with their pairs"] == 12


@pytest.mark.parametrize("table", ["images", "faces", "heatmaps", "pairs", "transfers"])
def test_flipped_bits_are_noticed(root: Root, table: str) -> None:
    manifest, draw = manifest_of(root, table), random.Random(table)
    unnoticed: list[tuple[str, int]] = []
    for _ in range(FLIPS // 5):
        shard = draw.choice(manifest.shards)
        path = root.local_path(f"{table}/shards/{shard.fingerprint}.parquet")
        assert path is not None
        good = path.read_bytes()
        bad, position = bytearray(good), draw.randrange(len(good))
        bad[position] ^= 1 << draw.randrange(8)
        path.write_bytes(bad)
        if not check_rows(root, shard, manifest.about).faults:
            unnoticed.append((shard.fingerprint, position))
        path.write_bytes(good)
    assert unnoticed == []


@pytest.mark.parametrize("table", ["images", "faces", "heatmaps", "pairs", "transfers"])
@pytest.mark.parametrize("where", ["rows", "counts", "sha256", "about", "order", "less", "twice", "cut", "name"])
def test_a_manifest_that_was_changed_is_noticed(root: Root, table: str, where: str) -> None:
    manifest = manifest_of(root, table)
    path = root.local_path(f"{table}/manifests/{manifest.fingerprint}.json")
    assert path is not None
    content = json.loads(path.read_bytes())
    first = content["shards"][0]
    if where == "rows":
        first["rows"] += 1
    elif where == "counts":
        first["counts"] |= {"ok": first["counts"]["ok"] - 1, "failed": 1}
    elif where == "sha256":
        first["sha256"] = "0" * 64
    elif where == "about":
        content["about"]["code"] = "changed"
    elif where == "order":
        content["shards"].reverse()
    elif where == "less":
        content["shards"].pop(1)
    elif where == "twice":
        content["shards"].append(first)
    elif where == "name":
        content["fingerprint"] = fingerprint("another")
    path.write_text(json.dumps(content)[: 100 if where == "cut" else None])
    assert any("is damaged" in fault for fault in faults(root))


@pytest.mark.parametrize("table", ["images", "faces", "heatmaps", "pairs", "transfers"])
@pytest.mark.parametrize("how", ["less", "order"])
def test_a_manifest_that_was_committed_anew_is_held_against_the_others(root: Root, table: str, how: str) -> None:
    manifest = manifest_of(root, table)
    left = manifest.shards[1:] if how == "less" else manifest.shards[::-1]
    commit_anew(root, manifest, left)
    found = faults(root)
    # Neither photos nor plans nor their outcomes have an order among themselves; faces and heatmaps go together by it.
    assert bool(found) == (how == "less" or table in ("faces", "heatmaps")), found


@pytest.mark.parametrize("table", ["images", "faces", "heatmaps", "pairs", "transfers"])
def test_a_shard_or_manifest_that_is_gone_is_noticed(root: Root, table: str) -> None:
    manifest = manifest_of(root, table)
    shard = f"{table}/shards/{manifest.shards[0].fingerprint}.parquet"
    kept = root.read_bytes(shard)
    root.delete(shard)
    assert any("is gone" in fault for fault in faults(root))
    root.write_bytes(shard, kept)
    assert faults(root) == []
    root.delete(f"{table}/manifests/{manifest.fingerprint}.json")
    assert faults(root)


def test_a_shard_in_the_place_of_another_is_noticed(root: Root) -> None:
    for table in ("images", "faces", "heatmaps", "pairs", "transfers"):
        first, second = (f"{table}/shards/{s.fingerprint}.parquet" for s in manifest_of(root, table).shards[:2])
        kept = root.read_bytes(first)
        root.write_bytes(first, root.read_bytes(second))
        assert faults(root), table
        root.write_bytes(first, kept)


@pytest.mark.parametrize("left", [(), ("images",), ("images", "faces"), ("heatmaps",), ("images", "heatmaps")])
def test_a_set_without_all_of_its_tables_is_not_whole(root: Root, left: tuple[str, ...]) -> None:
    tables = read_set(root, PREPARED).tables
    write_set(root, PREPARED, {table: tables[table] for table in left})  # pyright: ignore[reportArgumentType]
    assert any("a set holds" in fault for fault in verify(root, PREPARED).faults)


def test_tables_of_two_states_are_not_one_set(root: Root, tmp_path: Path) -> None:
    before = read_set(root, PREPARED).tables
    draw_photos(tmp_path / "photos", people=4)
    prepare(root, tmp_path / "photos")
    after = read_set(root, PREPARED).tables
    for table in ("images", "faces", "heatmaps"):
        write_set(root, PREPARED, {**after, table: before[table]})
        assert verify(root, PREPARED).faults, table
    write_set(root, PREPARED, after)
    assert verify(root, PREPARED).whole


def test_the_copy_of_the_newest_version_is_compared(root: Root) -> None:
    path = f"sets/{PREPARED}.json"
    for content in (b"{}", root.read_bytes(path).replace(b'"version": 1', b'"version": 7')):
        root.write_bytes(path, content)
        assert any("is not the copy of version" in fault for fault in verify(root, PREPARED).faults)


def test_what_was_left_out_is_not_called_whole() -> None:
    found = Verified(left_out=["faces: not compared"])
    assert not found.whole
    told = VerifiedSet("six", {}, 0, (), {}, ("faces: not compared",)).lines()
    assert not any("whole" in line for line in told)
    assert "whole" not in VerifiedSet("six", {}, 0, ("a fault",), {}, ()).lines()[-1]


@pytest.mark.parametrize("change", [moved("embedding"), moved("landmarks_xy")])
def test_deep_detects_again_and_notices_what_only_the_photo_tells(made: Path, root: Root, change: Change) -> None:
    assert recompute(root, PREPARED, 12, 0).faults == []
    assert recompute(root, PREPARED, 12, 0).done["faces detected again from their photos"] == 12

    def other_embedding(rows: Rows) -> Rows:
        return [row | {"embedding": [-value for value in row["embedding"]]} for row in change(rows)]

    damage(root, "faces", other_embedding, "committed")
    assert any("its embedding is not that of its photo" in fault for fault in recompute(root, PREPARED, 12, 0).faults)


def test_deep_says_how_many_photos_it_could_not_reach(tmp_path: Path) -> None:
    draw_photos(tmp_path / "photos")
    root = Root(str(tmp_path / "root"))
    refs = prepare(root, tmp_path / "photos")
    generate(root, refs)
    shutil.rmtree(tmp_path / "photos" / "person0")
    found = recompute(root, PREPARED, 12, 0)
    assert found.faults == []
    assert found.done["faces detected again from their photos"] == 8
    assert len(found.left_out) == 4
    with_model = recompute(root, GENERATED, 2, 0)
    assert sum("not generated again" in line for line in with_model.left_out) == 2
