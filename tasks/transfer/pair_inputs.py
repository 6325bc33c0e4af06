"""What a generated face is made from besides its settings: fingerprints of the faces, and of the people's neutrals.

The tables that faces lie in change with each new photo; the faces do not. So the id of a generated face hangs on what
of the faces is used, value by value, and on nothing else of their tables.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from mien.storage import Root, fingerprint
from mien.storage.rows import PairRow
from mien.tasks.generator.neutrals import FaceKey, load_neutrals
from mien.tasks.sets.face_rows import FaceWithHeatmap
from mien.tasks.transfer.pair_faces import PairFaces, further_ids
from mien.tasks.transfer.settings import output_id


@dataclass(frozen=True)
class Asked:
    """What a pair asks for, under the settings of a job."""

    output_id: str
    inputs: str | None
    """None where one of the faces is not there."""
    neutrals: str | None
    """None without retargeting, or where one of the faces is not there."""


F = TypeVar("F", bound=FaceWithHeatmap)


def asked_of(
    root: Root, pairs: Sequence[PairRow], faces: PairFaces[F], settings: str, neutrals: str | None
) -> list[Asked]:
    """What each of the pairs asks for.

    Args:
        root: Where the neutrals lie.
        pairs: Rows of `pairs`.
        faces: The faces that they name, as far as there are any.
        settings: `settings_fingerprint`.
        neutrals: Fingerprint of `keep_neutrals`.
    """
    sources = {face_id: _digest(face, is_source=True) for face_id, face in faces.sources.items()}
    drivers = {face_id: _digest(face, is_source=False) for face_id, face in faces.drivers.items()}
    out: list[Asked] = []
    for pair in pairs:
        shown = [sources.get(face_id) for face_id in (pair["identity_face_id"], *further_ids(pair))]
        used = [shown[0], drivers.get(pair["expression_face_id"]), *shown[1:]]
        inputs = fingerprint(used) if None not in used else None
        of_people = None
        if inputs is not None and neutrals is not None:
            of_people = people_of_faces(root, neutrals, [(face["set"], face["face_id"]) for face in faces.of(pair)])
        out.append(Asked(output_id(pair["pair_id"], settings, inputs, of_people), inputs, of_people))
    return out


def people_of_faces(root: Root, neutrals: str | None, faces: Sequence[FaceKey]) -> str:
    """Fingerprint of the neutrals of these faces' people; without retargeting that of none."""
    if neutrals is None:
        return fingerprint(None)
    known = load_neutrals(root, neutrals)
    usable = [face for face in faces if face in known.rows]  # the pairs of others are refused
    return hashlib.sha256(known.of(usable).tobytes() + known.of_drivers(usable).tobytes()).hexdigest()[:32]


def _digest(face: FaceWithHeatmap, is_source: bool) -> str:
    """Of what is used of a face: the crop of sources alone, and their label, by which the judge knows the person."""
    used: list[bytes | None] = [str(face["landmark_scheme"]).encode()]
    for column in ("landmarks_xy", "embedding"):
        used.append(None if face[column] is None else np.asarray(face[column], np.float32).tobytes())
    used.append(None if face["heatmap"] is None else face["heatmap"].tobytes())
    if is_source:
        used += [face["crop"], None if face["identity"] is None else face["identity"].encode()]
    # Each with its length, so that no value runs into the next.
    parts = [b"none" if value is None else b"%d:" % len(value) + value for value in used]
    return hashlib.sha256(b"".join(parts)).hexdigest()[:32]
