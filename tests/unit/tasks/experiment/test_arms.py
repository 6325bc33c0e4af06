from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mien.model.images.codec import decode_rgb
from mien.storage import Root, commit, fingerprint, open_table, read_manifest, read_set, write_shard
from mien.storage.schemas import TRANSFERS
from mien.tasks.experiment import arms
from mien.tasks.experiment.arms import Arm, added
from mien.tasks.experiment.measure import Setup
from mien.tasks.sets.face_columns import crop_of
from mien.tasks.sets.faces import read_faces
from mien.tasks.transfer.generate import PairGenerator
from tests.small_root import CROP_PX, GENERATED, rows_of
from tests.unit.tasks.experiment.given import EACH, PEOPLE, drawn_root, enrolled_like_the_generated


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Root, Setup, str]:
    root = drawn_root(tmp_path_factory.mktemp("arms"))
    _, setup = enrolled_like_the_generated(root)
    return root, setup, read_set(root, GENERATED).tables["transfers"]


def pictures(made: tuple[Root, Setup, str], arm: Arm) -> list[np.ndarray]:
    root, setup, _ = made
    return added(root, arm, setup.enrolled, setup.enrolled_ids).pictures


def changed(root: Root, transfers: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> str:
    """Another table of the same faces."""
    rows = [change(row) for row in open_table(root, "transfers", transfers).to_table().to_pylist()]
    shard = write_shard(root, "transfers", fingerprint(str(rows)), pa.Table.from_pylist(rows, schema=TRANSFERS))
    return commit(root, "transfers", [shard], read_manifest(root, "transfers", transfers).about).fingerprint


def test_the_photo_alone_adds_nothing_and_copies_add_the_photo(made) -> None:
    root, setup, _ = made
    assert pictures(made, Arm("photo", "photo")) == []
    copies = pictures(made, Arm("copy", "copy", None, 3))
    faces = read_faces(root, [setup.enrolled], set(setup.enrolled_ids), ["crop"])
    assert len(copies) == 3 * PEOPLE
    for number, face_id in enumerate(setup.enrolled_ids):
        assert all((copies[3 * number + n] == crop_of(faces[face_id])).all() for n in range(3))


def test_generated_faces_are_those_of_each_person_in_the_order_of_the_plan(made) -> None:
    root, setup, transfers = made
    found = pictures(made, Arm("generated", "generated", transfers, 2))
    rows = {(row["identity_face_id"], row["rank"]): row["image"] for row in rows_of(root, "transfers", GENERATED)}
    for number, face_id in enumerate(setup.enrolled_ids):
        for rank in range(2):
            assert found[2 * number + rank].shape == (CROP_PX, CROP_PX, 3)
            assert found[2 * number + rank][0, 0].tolist() == decode_rgb(rows[face_id, rank])[0, 0].tolist()


def test_where_a_person_has_fewer_faces_they_are_repeated(made) -> None:
    _, _, transfers = made
    found = pictures(made, Arm("generated", "generated", transfers, EACH + 1))
    assert len(found) == PEOPLE * (EACH + 1)
    assert (found[0] == found[EACH]).all()


def test_rejected_faces_are_left_out_by_the_gate_alone_and_who_has_none_gets_copies(made) -> None:
    root, setup, transfers = made
    of_first = setup.enrolled_ids[0]

    def reject(row: dict) -> dict:
        return {**row, "status": "rejected", "reason": "blurred"} if row["identity_face_id"] == of_first else row

    table = changed(root, transfers, reject)
    both = Arm("gated", "generated", table, 2), Arm("all", "ungated", table, 2)
    gated, ungated = (added(root, arm, setup.enrolled, setup.enrolled_ids) for arm in both)
    faces = read_faces(root, [setup.enrolled], {of_first}, ["crop"])
    assert (gated.without, ungated.without) == (1, 0)
    assert (gated.pictures[0] == crop_of(faces[of_first])).all()
    assert (ungated.pictures[0] != crop_of(faces[of_first])).any()
    assert all((one == other).all() for one, other in zip(gated.pictures[2:], ungated.pictures[2:], strict=True))


def test_warps_move_the_photo_to_the_landmarks_of_the_pairs(made, monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, transfers = made
    asked = list[int]()

    def own(self: PairGenerator, pairs: list, strengths: list[float]) -> None:
        asked.append(len(pairs))
        assert strengths == [1.0] * len(pairs)

    monkeypatch.setattr(PairGenerator, "target_points", own)  # None: the drivers' own landmarks
    found = pictures(made, Arm("warp", "warp", transfers, 2))
    assert asked == [2] * PEOPLE
    assert {picture.shape for picture in found} == {(CROP_PX, CROP_PX, 3)}


def test_marked_faces_differ_and_what_decides_an_arm_tells_them_apart(made, monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, transfers = made
    monkeypatch.setattr(arms, "add_unread_watermark", lambda rgb, number: 255 - rgb)
    plain, marked = (Arm("generated", "generated", transfers, 1, watermark) for watermark in (False, True))
    one, other = pictures(made, plain), pictures(made, marked)
    assert all((a == 255 - b).all() for a, b in zip(one, other, strict=True))
    assert plain.key() != marked.key()


def test_a_name_decides_nothing() -> None:
    assert Arm("a", "copy", None, 3).key() == Arm("b", "copy", None, 3).key()
