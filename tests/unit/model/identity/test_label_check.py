"""Labels held against faces."""

from __future__ import annotations

import numpy as np

from mien.model.detection.load import load_detector
from mien.model.identity.label_check import CheckLimits, Labelled, compare_labels, disagreement
from mien.tasks.prepare.identities import check_labels
from tests.sample_faces import orl_faces

LIMITS = CheckLimits(same_person=0.4, taken_for=0.6)


def test_swapped_labels_of_real_faces_are_found_and_no_others() -> None:
    embeddings, people = orl_faces(6, 5)
    labels = [f"s{person}" for person in people]
    first, second = labels.index("s1"), labels.index("s4")
    labels[first], labels[second] = "s4", "s1"
    rows = [{"face_id": str(index), "identity": label, "status": "ok"} for index, label in enumerate(labels)]
    changes, told = check_labels(rows, embeddings, load_detector("dlib"))
    doubted = {index: change["identity_doubt"] for index, change in changes.items() if change["identity_doubt"]}
    assert set(doubted) == {first, second}
    assert doubted[first].startswith("nearer to s1 (similarity 0.")
    assert "than to s4" in doubted[first]
    assert told == {"checked": len(labels), "disagree": 2}
    assert changes[2]["label_similarity"] > 0.5


def test_a_face_is_compared_without_itself_and_what_nobody_labelled_is_left_out() -> None:
    embeddings = np.eye(3, dtype=np.float32)[[0, 0, 1, 2]]
    one, again, alone, _ = compare_labels(
        embeddings, ["a", "a", "b", "c"], lambda x, y: 1 - np.linalg.norm(x - y, axis=-1)
    )
    assert one.own == again.own == 1
    assert alone.own is None
    rows = [{"face_id": "x", "identity": "x", "status": "ok"}, {"face_id": "y", "identity": None, "status": "ok"}]
    assert check_labels(rows, embeddings[:2], load_detector("dlib")) == ({}, {"checked": 0, "disagree": 0})


def test_why_a_face_disagrees() -> None:
    assert disagreement(Labelled(0.7, 0.5, "b"), "a", LIMITS) is None
    assert "nearer to b" in (disagreement(Labelled(0.5, 0.6, "b"), "a", LIMITS) or "")
    assert "far from the other photos of a" in (disagreement(Labelled(0.3, 0.2, "b"), "a", LIMITS) or "")
    assert disagreement(Labelled(None, 0.5, "b"), "a", LIMITS) is None
    assert "looks like b" in (disagreement(Labelled(None, 0.7, "b"), "a", LIMITS) or "")
    assert disagreement(Labelled(0.5, None, None), "a", LIMITS) is None
