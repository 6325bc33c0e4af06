"""Which further photos of a person a result is made from: the nearest, never the target, no frame of its video."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.storage import Root
from mien.tasks.evaluate import other_photos
from mien.tasks.evaluate.other_photos import with_others
from mien.tasks.evaluate.pairs import HeldOutFace, cross_person, held_out_rows, same_person
from mien.tasks.evaluate.results import EvaluationPair
from mien.tasks.sets.face_columns import common_points
from mien.tasks.sets.faces import FaceTables, read_faces
from tests.drawn_set import SIDE_PX, drawn_set


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(str(tmp_path))


@pytest.fixture
def tables(root: Root) -> FaceTables:
    return drawn_set(root)


@pytest.fixture
def rows(root: Root, tables: FaceTables) -> list[HeldOutFace]:
    return [row for row in held_out_rows(root, [tables]) if row["split"] == "val"]


def test_the_nearest_photos_of_the_person_come_first_and_the_pair_itself_never(
    root: Root, tables: FaceTables, rows: list[HeldOutFace]
) -> None:
    faces = read_faces(root, [tables], {row["face_id"] for row in rows}, ["landmarks_xy", "landmark_scheme"])
    points = {face_id: common_points(face, SIDE_PX) for face_id, face in faces.items()}
    person = {row["face_id"]: row["identity"] for row in rows}
    for plain in (same_person(rows, 8, 0), cross_person(rows, 8, 0)):
        found = with_others(root, [tables], rows, plain, 0)
        assert [replace(pair, others=()) for pair in found] == plain
        assert found == with_others(root, [tables], rows[::-1], plain, 0)
        for pair in found:
            left = {face for face in person if person[face] == pair.person} - {pair.source, pair.target}
            assert set(pair.others) == left
            away = [np.linalg.norm(points[face] - points[pair.target], axis=1).mean() for face in pair.others]
            assert away == sorted(away)


def test_photos_that_do_not_look_like_the_source_are_left_out(
    root: Root, tables: FaceTables, rows: list[HeldOutFace], monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = [pair for pair in same_person(rows, 8, 0) if pair.person == rows[0]["identity"]]
    faces = read_faces(root, [tables], {row["face_id"] for row in rows}, ["embedding"])
    everyone = with_others(root, [tables], rows, pairs, 0)
    halves = {face_id: np.array(face["embedding"], np.float16).astype(np.float64) for face_id, face in faces.items()}
    similar = {
        (pair.source, face): float((halves[pair.source] * halves[face]).sum())
        for pair in everyone
        for face in pair.others
    }
    least = float(np.median(list(similar.values())))
    monkeypatch.setattr(other_photos, "look_similarity", lambda _: least)
    found = with_others(root, [tables], rows, pairs, 0)
    for pair, before in zip(found, everyone, strict=True):
        assert pair.others == tuple(face for face in before.others if similar[pair.source, face] >= least)
    assert 0 < sum(len(pair.others) for pair in found) < len(similar)


def test_no_more_than_can_be_combined_are_named_and_candidates_are_drawn(
    root: Root, tables: FaceTables, rows: list[HeldOutFace], monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = same_person(rows, 8, 0)
    monkeypatch.setattr(other_photos, "SOURCES", (2,))
    assert {len(pair.others) for pair in with_others(root, [tables], rows, pairs, 0)} == {1}
    monkeypatch.setattr(other_photos, "SOURCES", (2, 4, 8))
    monkeypatch.setattr(other_photos, "CANDIDATES", 1)
    drawn = with_others(root, [tables], rows, pairs, 0)
    assert {len(pair.others) for pair in drawn} == {1}
    assert drawn == with_others(root, [tables], rows, pairs, 0)


def test_frames_of_the_target_s_video_are_left_out(
    root: Root, tables: FaceTables, rows: list[HeldOutFace], monkeypatch: pytest.MonkeyPatch
) -> None:
    target, source, frame, photo = [row for row in rows if row["identity"] == rows[0]["identity"]][:4]
    video = {target["image_id"]: 3, frame["image_id"]: 4}

    def photos(_: Root, __: Any, image_ids: set[str], columns: list[str]) -> dict[str, dict[str, Any]]:
        assert columns == ["uri", "frame"]
        return {
            image_id: {"uri": "clip.mp4" if image_id in video else image_id, "frame": video.get(image_id)}
            for image_id in image_ids
        }

    monkeypatch.setattr(other_photos, "photos_of", photos)
    pair = EvaluationPair(source["face_id"], target["face_id"], target["identity"])
    assert with_others(root, [tables], rows, [pair], 0)[0].others == (photo["face_id"],)
