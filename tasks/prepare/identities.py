"""Identities by embeddings: faces grouped into people with names that stay, and labels held against the faces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from statistics import median
from typing import Any

import numpy as np

from mien.model.detection.detector import FaceDetector
from mien.model.identity.clustering import MAX_FACES, Doubt, doubts, group_people, similarity_matrix
from mien.model.identity.label_check import CheckLimits, compare_labels, disagreement
from mien.tasks.errors import RunError
from mien.tasks.prepare.face_boxes import of_two_people
from mien.tasks.sets.splits import SplitSettings, split_of

MOST_TOLD = 50
"""Doubtful decisions that are kept; the closest ones."""
_SHOWN_FACES = 3
"""Of each side of a doubtful decision."""
_NAME_DIGITS = 12

Changes = dict[int, dict[str, Any]]
"""New values of columns, by the place of the row."""


@dataclass(frozen=True)
class Grouping:
    """How faces are grouped."""

    detector: FaceDetector
    threshold: float
    """Mean similarity from which two groups are one person."""
    splits: SplitSettings


def group_faces(
    rows: Sequence[Mapping[str, Any]], embeddings: np.ndarray, former: Mapping[str, str], grouping: Grouping
) -> tuple[Changes, dict[str, Any]]:
    """Identity and split of each good face, and what is to be told of the groups.

    Args:
        rows: Of `faces`, with face_id, image_id, bbox_xyxy and status. Two faces of one photo are two people.
        embeddings: Of those with status ok, in their order.
        former: Identities that faces had before, by face_id.
        grouping: How.

    Raises:
        RunError: there are too many faces.
    """
    places = [place for place, row in enumerate(rows) if row["status"] == "ok"]
    if len(places) > MAX_FACES:
        raise RunError(
            f"{len(places)} usable faces are more than the {MAX_FACES} that --identity cluster compares with each "
            "other: prepare them as several sets, or label them"
        )
    face_ids = [rows[place]["face_id"] for place in places]
    similar = similarity_matrix(embeddings, grouping.detector.similarity)
    groups = group_people(similar, grouping.threshold, of_two_people([rows[place] for place in places]))
    names = name_groups(groups.tolist(), face_ids, former)
    changes: Changes = {
        place: {"identity": name, "split": split_of(name, grouping.splits)}
        for place, name in zip(places, names, strict=True)
    }
    return changes, {
        "threshold": grouping.threshold,
        **_sizes(names),
        "moved": sum(former.get(face_id, name) != name for face_id, name in zip(face_ids, names, strict=True)),
        **_doubts(doubts(similar, groups, grouping.threshold), names, face_ids),
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
    claims = Counter((group, former[face_id]) for group, its in members.items() for face_id in its if face_id in former)
    named: dict[int, str] = {}
    taken = set[str]()
    smallest = {group: min(its) for group, its in members.items()}
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


def _sizes(names: Sequence[str]) -> dict[str, Any]:
    sizes = sorted(Counter(names).values())
    if not sizes:
        return {"people": 0, "alone": 0, "smallest": 0, "median": 0, "largest": 0}
    return {
        "people": len(sizes),
        "alone": sizes.count(1),
        "smallest": sizes[0],
        "median": median(sizes),
        "largest": sizes[-1],
    }


def _doubts(found: Sequence[Doubt], names: Sequence[str], face_ids: Sequence[str]) -> dict[str, Any]:
    def side(places: Sequence[int]) -> dict[str, Any]:
        shown = [face_ids[place] for place in places[:: max(1, len(places) // _SHOWN_FACES)][:_SHOWN_FACES]]
        return {"name": names[places[0]], "faces": len(places), "shown": shown}

    told = [
        {
            "kind": doubt.kind,
            "similarity": round(doubt.similarity, 3),
            "first": side(doubt.first),
            "second": side(doubt.second),
        }
        for doubt in found[:MOST_TOLD]
    ]
    return {"doubtful": len(found), "doubts": told}


def check_labels(
    rows: Sequence[Mapping[str, Any]], embeddings: np.ndarray, detector: FaceDetector
) -> tuple[Changes, dict[str, Any]]:
    """Columns of each good face that has a label, and how many disagree with theirs.

    Args:
        rows: Of `faces`, with face_id, identity and status.
        embeddings: Of those with status ok, in their order.
        detector: Whose embeddings they are.
    """
    places = [place for place, row in enumerate(rows) if row["status"] == "ok"]
    # A face beside the largest is named after itself: nobody labelled it.
    chosen = [n for n, place in enumerate(places) if rows[place]["identity"] not in (None, rows[place]["face_id"])]
    labels = [rows[places[n]]["identity"] for n in chosen]
    limits = CheckLimits(detector.same_person_similarity, detector.group_similarity)
    changes: Changes = {}
    compared = compare_labels(embeddings[chosen], labels, detector.similarity)
    for n, label, face in zip(chosen, labels, compared, strict=True):
        changes[places[n]] = {"label_similarity": face.own, "identity_doubt": disagreement(face, label, limits)}
    return changes, {
        "checked": len(labels),
        "disagree": sum(change["identity_doubt"] is not None for change in changes.values()),
    }
