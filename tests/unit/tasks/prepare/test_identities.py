"""Names of groups: they stay as faces come and go."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from mien.model.detection.load import load_detector
from mien.tasks.errors import RunError
from mien.tasks.prepare.identities import Grouping, group_faces, name_groups
from tests.sample_faces import orl_faces


def face(face_id: str, status: str = "ok", photo: str | None = None, left_px: float = 0) -> dict[str, Any]:
    box = [left_px, 0.0, left_px + 10, 10.0]
    return {"face_id": face_id, "image_id": photo or face_id, "bbox_xyxy": box, "status": status}


def test_new_groups_are_named_after_their_smallest_face() -> None:
    assert name_groups([0, 1, 0], ["c", "b", "a"], {}) == ["person-a", "person-b", "person-a"]


def test_a_group_keeps_its_name_when_a_smaller_face_comes() -> None:
    assert name_groups([0, 0, 1], ["b", "a", "c"], {"b": "person-b"}) == ["person-b", "person-b", "person-c"]


def test_of_groups_that_merge_or_split_the_larger_part_keeps_its_name() -> None:
    former = {"a": "A", "b": "B", "c": "B"}
    assert name_groups([0, 0, 0], ["a", "b", "c"], former) == ["B"] * 3
    assert name_groups([0, 1, 1], ["a", "b", "c"], dict.fromkeys("abc", "A")) == ["person-a", "A", "A"]


def test_two_groups_never_share_a_name() -> None:
    # a once gave its group the name, and has moved to another one since.
    former = {"a": "person-a", "b": "person-a", "c": "person-a", "x": "X", "y": "X"}
    names = name_groups([1, 0, 0, 1, 1], ["a", "b", "c", "x", "y"], former)
    assert names == ["X", "person-a", "person-a", "X", "X"]
    assert len(set(name_groups([1, 0, 0], ["a", "b", "c"], former | {"a": "person-a"}))) == 2


def test_names_stay_while_people_and_photos_are_added() -> None:
    detector = load_detector("dlib")
    embeddings, people = orl_faces(6, 5)
    order = np.random.default_rng(0).permutation(len(people))
    grouping = Grouping(detector, detector.group_similarity)
    former: dict[str, str] = {}
    for count in (10, 20, len(people)):
        rows = [face(f"{index:03d}") for index in order[:count]]
        changes, told = group_faces(rows, embeddings[order[:count]], former, grouping)
        names = {row["face_id"]: changes[index]["identity"] for index, row in enumerate(rows)}
        kept = sum(names[face] == name for face, name in former.items())
        assert kept >= 0.9 * len(former)
        assert told["moved"] == len(former) - kept
        former = names
    assert told["people"] >= 6
    assert told["largest"] == 5


def test_the_people_of_a_group_photo_have_different_names() -> None:
    detector = load_detector("dlib")
    embeddings, _ = orl_faces(2, 3)
    rows = [face("a", photo="group"), face("b", photo="group", left_px=40), face("c")]
    grouping = Grouping(detector, 0.2)
    changes, told = group_faces(rows, embeddings[[0, 1, 2]], {}, grouping)  # all three of one person
    assert changes[0]["identity"] != changes[1]["identity"]
    assert told["people"] == 2


def test_copies_of_a_file_make_nobody_larger() -> None:
    detector = load_detector("dlib")
    embeddings, _ = orl_faces(2, 3)
    rows = [face("a"), face("b"), face("a"), face("a")]
    grouping = Grouping(detector, 0.2)
    _, told = group_faces(rows, embeddings[[0, 1, 0, 0]], {"a": "former"}, grouping)
    assert (told["people"], told["largest"], told["moved"]) == (1, 2, 0)


def test_rejected_faces_have_no_part_and_too_many_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = load_detector("dlib")
    grouping = Grouping(detector, 0.6)
    rows = [face("a", "rejected"), face("b")]
    changes, told = group_faces(rows, np.zeros((1, 128), np.float32), {}, grouping)
    assert {index: change["identity"] for index, change in changes.items()} == {1: "person-b"}
    assert (told["people"], told["alone"]) == (1, 1)
    monkeypatch.setattr("mien.model.identity.likenesses.EXACT_FACES", 0)
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(RunError, match="prepare them as several sets"):
        group_faces(rows, np.zeros((1, 128), np.float32), {}, grouping)
