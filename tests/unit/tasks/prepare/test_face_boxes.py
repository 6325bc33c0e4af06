"""Which rows of one photo are one face, and which are two people."""

from __future__ import annotations

from typing import Any

import pytest

from mien.tasks.prepare.face_boxes import of_two_people, overlap, shows_same_face

BOX = [0.0, 0.0, 10.0, 10.0]


def row(face_id: str, box: list[float] | None = None, photo: str = "x") -> dict[str, Any]:
    return {"face_id": face_id, "image_id": photo, "bbox_xyxy": box}


@pytest.mark.parametrize(
    ("second", "shared"),
    [
        (BOX, 1.0),
        ([0.0, 0.0, 10.0, 5.0], 0.5),
        ([5.0, 0.0, 15.0, 10.0], 1 / 3),
        ([10.0, 0.0, 20.0, 10.0], 0.0),
        ([40.0, 40.0, 50.0, 50.0], 0.0),
        ([3.0, 3.0, 3.0, 3.0], 0.0),
    ],
)
def test_overlap_is_intersection_over_union(second: list[float], shared: float) -> None:
    assert overlap(BOX, second) == pytest.approx(shared)
    assert overlap(second, BOX) == pytest.approx(shared)


def test_one_face_found_twice_is_one_and_two_beside_each_other_are_two() -> None:
    assert shows_same_face(row("a", BOX), row("b", [1.0, 0.0, 11.0, 10.0]))
    assert not shows_same_face(row("a", BOX), row("b", [8.0, 0.0, 18.0, 10.0]))
    assert shows_same_face(row("a", BOX), row("a", None))
    assert not shows_same_face(row("a", BOX), row("b", None))


def test_faces_of_one_photo_are_two_people_whatever_copies_of_it_there_are() -> None:
    right = [20.0, 0.0, 30.0, 10.0]
    rows = [row("a", BOX), row("b", right), row("c", BOX, "y"), row("a", BOX), row("b", right)]
    assert of_two_people(rows) == [(0, 1)]
