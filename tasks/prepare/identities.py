"""Identities by embeddings: faces grouped into people with names that stay, and labels held against the faces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from statistics import median
from typing import Literal, TypedDict

import numpy as np

from mien.model.detection.detector import FaceDetector
from mien.model.errors import ModelError
from mien.model.identity.clustering import Doubt, doubts, group_people
from mien.model.identity.label_check import CheckLimits, compare_labels, disagreement
from mien.model.identity.likenesses import EmbeddingLikenesses
from mien.storage import Status
from mien.storage.rows import FaceRow
from mien.tasks.errors import RunError
from mien.tasks.prepare.face_boxes import of_two_people

MAX_DOUBTS = 50
"""Doubtful decisions that are kept; the closest ones."""
_SHOWN_FACES = 3
"""Of each side of a doubtful decision."""
_NAME_DIGITS = 12


class Change(TypedDict, total=False):
    """New values of columns of a face."""

    identity: str
    split: str
    label_similarity: float | None
    identity_doubt: str | None
    duplicate_of: str
    status: Status
    reason: str


Changes = dict[int, Change]
"""By the index of the row."""


class Side(TypedDict):
    """A group of a doubtful decision."""

    name: str
    faces: int
    shown: list[str]
    """Some of them, by id."""


class DoubtfulDecision(TypedDict):
    """A close decision: one group that may be two people, or two that may be one (`apart`)."""

    kind: Literal["merged", "apart"]
    similarity: float
    first: Side
    second: Side


class PeopleSummary(TypedDict):
    """The groups in numbers."""

    threshold: float
    people: int
    alone: int
    """With a single face."""
    smallest: int
    median: float
    largest: int
    moved: int
    """Faces whose group has another name than before."""
    doubtful: int
    doubts: list[DoubtfulDecision]
    """The closest ones."""


class CheckSummary(TypedDict):
    """Labels against faces in numbers."""

    checked: int
    disagree: int


@dataclass(frozen=True)
class Grouping:
    """How faces are grouped."""

    detector: FaceDetector
    threshold: float
    """Mean similarity from which two groups are one person."""


def group_faces(
    rows: Sequence[FaceRow], embeddings: np.ndarray, former: Mapping[str, str], grouping: Grouping
) -> tuple[Changes, PeopleSummary]:
    """Identity of each good face, and the groups in numbers.

    Args:
        rows: Of `faces`, with face_id, image_id, bbox_xyxy and status. Two faces of one photo are two people.
        embeddings: Of those with status ok, in their order.
        former: Identities that faces had before, by face_id.
        grouping: How.

    Raises:
        RunError: there are too many faces.
    """
    good = [index for index, row in enumerate(rows) if row["status"] == "ok"]
    face_ids = [rows[index]["face_id"] for index in good]
    likenesses = EmbeddingLikenesses(embeddings, grouping.detector.similarity)
    try:
        groups = group_people(likenesses, grouping.threshold, of_two_people([rows[index] for index in good]))
    except ModelError as error:
        raise RunError(str(error)) from error
    names = name_groups(groups.numbers.tolist(), face_ids, former)
    changes: Changes = {index: {"identity": name} for index, name in zip(good, names, strict=True)}
    named = dict(zip(face_ids, names, strict=True))  # of copies of a file each face once
    sizes = sorted(Counter(named.values()).values()) or [0]
    close = doubts(likenesses, groups, grouping.threshold)
    return changes, {
        "threshold": grouping.threshold,
        "people": len(set(names)),
        "alone": sizes.count(1),
        "smallest": sizes[0],
        "median": median(sizes),
        "largest": sizes[-1],
        "moved": sum(former.get(face_id, name) != name for face_id, name in named.items()),
        "doubtful": len(close),
        "doubts": [_decision(doubt, names, face_ids) for doubt in close[:MAX_DOUBTS]],
    }


def name_groups(groups: Sequence[int], face_ids: Sequence[str], former: Mapping[str, str]) -> list[str]:
    """The name of its group for each face.

    A group inherits the name that most of its faces had; where two groups claim one name, the one with more of its
    faces. A new group is named after its smallest face_id, which nothing that comes later changes: its faces will have
    had that name.
    """
    members: dict[int, list[str]] = {}
    for group, face_id in zip(groups, face_ids, strict=True):
        members.setdefault(group, []).append(face_id)
    claims = Counter((group, former[each]) for group, own in members.items() for each in own if each in former)
    named: dict[int, str] = {}
    taken = set[str]()
    smallest = {group: min(own) for group, own in members.items()}
    most_first = sorted(claims, key=lambda claim: (-claims[claim], claim[1], smallest[claim[0]]))
    for group, name in most_first:
        if group not in named and name not in taken:
            named[group] = name
            taken.add(name)
    for group in sorted(members.keys() - named.keys(), key=smallest.__getitem__):
        named[group] = _new_name(members[group], taken)
        taken.add(named[group])
    return [named[group] for group in groups]


def _new_name(face_ids: Sequence[str], taken: set[str]) -> str:
    own = [f"person-{face_id[:_NAME_DIGITS]}" for face_id in sorted(face_ids)]
    # One of its faces may have given another group its name before it came here.
    numbered = (f"{own[0]}-{number}" for number in count(2))
    return next(name for name in chain(own, numbered) if name not in taken)


def _decision(doubt: Doubt, names: Sequence[str], face_ids: Sequence[str]) -> DoubtfulDecision:
    def side(indices: Sequence[int]) -> Side:
        shown = [face_ids[index] for index in indices[:: max(1, len(indices) // _SHOWN_FACES)][:_SHOWN_FACES]]
        return {"name": names[indices[0]], "faces": len(indices), "shown": shown}

    similarity = round(doubt.similarity, 3)
    return {"kind": doubt.kind, "similarity": similarity, "first": side(doubt.first), "second": side(doubt.second)}


def check_labels(
    rows: Sequence[FaceRow], embeddings: np.ndarray, detector: FaceDetector
) -> tuple[Changes, CheckSummary]:
    """Columns of each good face that has a label, and how many disagree with theirs.

    Args:
        rows: Of `faces`, with face_id, identity and status.
        embeddings: Of those with status ok, in their order.
        detector: Whose embeddings they are.
    """
    good = [index for index, row in enumerate(rows) if row["status"] == "ok"]
    # A face beside the largest is named after itself: nobody labelled it.
    labelled = {
        number: label
        for number, index in enumerate(good)
        if (label := rows[index]["identity"]) is not None and label != rows[index]["face_id"]
    }
    limits = CheckLimits(detector.same_person_similarity, detector.group_similarity)
    changes: Changes = {}
    disagreements = 0
    compared = compare_labels(embeddings[list(labelled)], list(labelled.values()), detector.similarity)
    for (number, label), face in zip(labelled.items(), compared, strict=True):
        doubt = disagreement(face, label, limits)
        changes[good[number]] = {"label_similarity": face.own, "identity_doubt": doubt}
        disagreements += doubt is not None
    return changes, {"checked": len(labelled), "disagree": disagreements}
