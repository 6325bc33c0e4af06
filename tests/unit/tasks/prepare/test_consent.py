"""Consent of what comes in: a wrong value ends the run, a withdrawal ends the use of a person's photos."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mien.storage import Root, ShardRef, SourceItem, fingerprint, read_shard, write_shard
from mien.storage.schemas import FACES, IMAGES
from mien.tasks.errors import UsageError
from mien.tasks.prepare.consent import reject_withdrawn, reject_withdrawn_faces, terms_lines, with_terms

Photo = tuple[str, str | None, str | None]
"""Image id, identity, consent."""


def images(root: Root, *shards: Sequence[Photo]) -> list[ShardRef]:
    return [
        write_shard(root, "images", fingerprint(list(map(list, rows))), pa.Table.from_pylist(_rows(rows), IMAGES))
        for rows in shards
    ]


def _rows(photos: Sequence[Photo]) -> list[dict[str, Any]]:
    return [
        {"image_id": i, "uri": f"/{i}", "identity": who, "consent": said, "version": "1", "status": "ok"}
        for i, who, said in photos
    ]


def outcome(root: Root, shards: Sequence[ShardRef], table: Any = "images") -> list[str | None]:
    return [reason for s in shards for reason in read_shard(root, table, s.fingerprint)["reason"].to_pylist()]


def item(number: int, consent: str | None, licence: str | None = None) -> SourceItem:
    return SourceItem(f"/photos/{number}.jpg", None, None, "1", row=number, consent=consent, licence=licence)


def test_a_consent_that_is_none_ends_the_run_in_one_line() -> None:
    with pytest.raises(UsageError) as error:
        with_terms([item(0, "yes"), item(1, "mayb"), item(2, "perhaps"), item(3, None)])
    said = str(error.value)
    assert "\n" not in said
    assert all(part in said for part in ("'mayb'", "/photos/1.jpg", "row 2", "2 rows", "withdrawn/revoked", "yes"))


def test_consent_and_licence_are_normalised() -> None:
    found = with_terms([item(0, "Signed 2026-01-01", "cc by-nc 4.0"), item(1, "FALSE"), item(2, None)])
    assert [each.consent for each in found] == ["given 2026-01-01", "denied", None]
    assert [each.licence for each in found] == ["CC-BY-NC-4.0", None, None]


def test_a_withdrawal_holds_for_the_person_and_for_the_same_bytes(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    before = images(
        root,
        [("a", "anna", "given"), ("b", "ben", "given"), ("e", None, None)],
        [("c", "anna", "withdrawn 2026-02-03"), ("d", "dora", "given"), ("e", "eva", "withdrawn")],
        [("f", "fred", "given")],
        # Gina's photo has the bytes of Anna's: whoever it shows, it is not used, and nobody's name saves it.
        [("c", "gina", "given"), ("g", "gina", "given")],
    )
    after = reject_withdrawn(root, before, "source")
    other = ", as another row on the person or photo says"
    assert outcome(root, after) == [
        f"consent withdrawn on 2026-02-03{other}",
        None,
        f"consent withdrawn{other}",
        "consent withdrawn on 2026-02-03",
        None,
        "consent withdrawn",
        None,
        f"consent withdrawn on 2026-02-03{other}",
        f"consent withdrawn on 2026-02-03{other}",
    ]
    assert after[2] == before[2]
    assert reject_withdrawn(root, before, "source") == after
    assert reject_withdrawn(root, after, "source") == after


def test_where_faces_tell_people_apart_the_withdrawal_follows_the_face(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    photos = images(root, [("a", None, "withdrawn"), ("b", None, "given"), ("c", None, "given")])
    assert reject_withdrawn(root, photos, "cluster") == photos
    rows = [
        {"face_id": f"f{i}", "image_id": i, "identity": who, "split": "train", "crop": b"x", "status": "ok"}
        for i, who in (("a", "person-1"), ("b", "person-1"), ("c", "person-2"))
    ]
    faces = [write_shard(root, "faces", fingerprint("faces"), pa.Table.from_pylist(rows, FACES))]
    after = reject_withdrawn_faces(root, photos, faces)
    assert [bool(reason) for reason in outcome(root, after, "faces")] == [True, True, False]
    assert read_shard(root, "faces", after[0].fingerprint)["crop"].to_pylist() == [None, None, b"x"]


def test_a_set_without_a_withdrawal_stays_as_it_is(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    photos = images(root, [("a", "anna", "denied"), ("b", None, None)])
    assert reject_withdrawn(root, photos, "source") == photos


def test_the_terms_of_a_set_are_told(tmp_path: Path) -> None:
    from mien.storage import commit, read_manifest

    root = Root(str(tmp_path))
    shards = images(root, [("a", "anna", f"given {date(2026, 1, 1)}"), ("b", "ben", "denied"), ("c", None, None)])
    manifest = read_manifest(root, "images", commit(root, "images", shards, {}).fingerprint)
    assert terms_lines(root, manifest) == ["consent: 1 given, 1 denied, 1 unknown"]
