"""Which pairs of held-out faces are measured: the same ones for the same faces and seed, in turns over people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from mien.model.evaluation.pairs import same_person_pairs
from mien.model.landmarks.schemes import eye_opening, mouth_opening
from mien.storage import Root
from mien.storage.rows import FaceRow
from mien.tasks.evaluate.results import EvaluationPair
from mien.tasks.sets.face_columns import landmarks_px, scheme_of
from mien.tasks.sets.faces import FaceTables, read_faces, usable_faces


class HeldOutFace(TypedDict):
    """A usable face of a named person."""

    face_id: str
    identity: str
    """With the name of its set, where there are several."""
    split: str
    set: str
    name: str
    """The identity as the set has it."""
    image_id: str


CLOSED_MOUTH, OPEN_MOUTH = 0.03, 0.1
"""Gap of the inner lips over the distance of the outer eye corners."""
OPEN_EYES, CLOSED_EYES = 0.24, 0.17
"""Height over width, both eyes' mean."""
CANDIDATES = 20
"""Pairs looked at for each that is to be shown."""


def held_out_rows(root: Root, sets: Sequence[FaceTables]) -> list[HeldOutFace]:
    """The usable faces of named people, of all splits."""
    return [
        {
            "face_id": row["face_id"],
            "identity": row["identity"] if len(sets) == 1 else f"{row['set']}/{row['identity']}",
            "split": row["split"],
            "set": row["set"],
            "name": row["identity"],
            "image_id": row["image_id"],
        }
        for row in usable_faces(root, sets, ["face_id", "image_id", "identity", "split"])
        if row["identity"]
    ]


def same_person(rows: Sequence[HeldOutFace], count: int, seed: int) -> list[EvaluationPair]:
    """Two photos of each person in turn; none if nobody has two."""
    names = sorted({row["identity"] for row in rows})
    identities = np.array([names.index(row["identity"]) for row in rows], np.int64)
    if not len(rows) or np.bincount(identities).max() < 2:
        return []
    sources, targets = same_person_pairs(identities, count, seed)
    pairs = [
        EvaluationPair(rows[s]["face_id"], rows[t]["face_id"], rows[s]["identity"])
        for s, t in zip(sources, targets, strict=True)
    ]
    return list(dict.fromkeys(pairs))


def cross_person(rows: Sequence[HeldOutFace], count: int, seed: int) -> list[EvaluationPair]:
    """A photo of each person in turn, with a photo of each other person in turn; none if there is only one person."""
    faces: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        faces[row["identity"]].append(row["face_id"])
    names, random = sorted(faces), np.random.default_rng(seed)
    if len(names) < 2:
        return []
    pairs: list[EvaluationPair] = []
    for turn in range(count):
        person = turn % len(names)
        driver = (person + 1 + (turn // len(names)) % (len(names) - 1)) % len(names)
        source, *others = random.permutation(faces[names[person]]).tolist()
        asked = str(random.choice(faces[names[driver]]))
        pairs.append(EvaluationPair(source, asked, names[person], others[0] if others else None))
    return list({(pair.source, pair.target): pair for pair in pairs}.values())


def telling_pairs(
    root: Root, sets: Sequence[FaceTables], rows: Sequence[HeldOutFace], count: int, seed: int
) -> list[EvaluationPair]:
    """Cross-person pairs in which much is asked: a closed mouth is to open, or open eyes are to close.

    Chosen by the landmarks of the photos alone, before anything is generated: the first that qualify of a seeded row
    of candidates.
    """
    candidates = cross_person(rows, CANDIDATES * count, seed + 1)
    faces = read_faces(root, sets, {f for p in candidates for f in (p.source, p.target)}, _LANDMARKS)
    return [pair for pair in candidates if asks_much(faces[pair.source], faces[pair.target])][:count]


_LANDMARKS = ["landmarks_xy", "landmark_scheme"]


def asks_much(source: FaceRow, driver: FaceRow) -> bool:
    """Whether a closed mouth is to open or open eyes are to close, between two rows of `faces`."""
    (mouth, eyes), (mouth_asked, eyes_asked) = _openings(source), _openings(driver)
    opens = mouth < CLOSED_MOUTH and mouth_asked > OPEN_MOUTH
    return opens or (eyes > OPEN_EYES and eyes_asked < CLOSED_EYES)


def _openings(row: FaceRow) -> tuple[float, float]:
    landmarks, scheme = landmarks_px(row), scheme_of(row)
    return mouth_opening(landmarks, scheme), float(np.mean(eye_opening(landmarks, scheme)))
