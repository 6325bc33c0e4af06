"""The arms of an experiment: what is added to the one photo of each person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import UInt8

from mien.model.images.codec import decode_rgb, resize_rgb
from mien.model.images.watermark import add_unread_watermark
from mien.model.inference.baselines import face_warped
from mien.storage import Root, open_table, read_manifest
from mien.storage.rows import FaceRow, TransferRow
from mien.tasks.sets.face_columns import common_points, crop_of
from mien.tasks.sets.faces import FaceTables, crop_size_px, read_faces
from mien.tasks.transfer.generate import PairGenerator
from mien.tasks.transfer.settings import settings_of

Picture = UInt8[np.ndarray, "rows columns 3"]
Kind = Literal["photo", "copy", "warp", "generated", "ungated"]
"""The photo alone; repeated; moved without any training; what the gate accepted; whatever the generator made."""

WATERMARK = 1
"""The number that pictures are marked with."""
_AT_ONCE = 16


@dataclass(frozen=True)
class Arm:
    """One arm."""

    name: str
    kind: Kind
    transfers: str | None = None
    """Fingerprint of the table of its faces, or of the pairs that are moved."""
    faces: int = 0
    """Of each person, beside the photo."""
    watermark: bool = False
    """Whether all faces bear the invisible mark of an export, those too in which it could not be read."""

    def key(self) -> dict[str, Any]:
        """What decides its pictures."""
        return {name: value for name, value in asdict(self).items() if name != "name"}


@dataclass(frozen=True)
class Added:
    """The pictures that an arm adds."""

    pictures: list[Picture]
    """`faces` of each person, in the order of the people."""
    without: int
    """People without a single face, who have copies of their photo in its place."""


def added(root: Root, arm: Arm, tables: FaceTables, enrolled: Sequence[str]) -> Added:
    """The pictures of an arm. Where a person has fewer faces than were asked for they are repeated.

    Args:
        root: Where the tables lie.
        arm: Which.
        tables: The set of the enrolled photos.
        enrolled: Ids of the faces that are known, one of each person.
    """
    if arm.kind == "photo":
        return Added([], 0)
    faces = read_faces(root, [tables], set(enrolled), ["crop"])
    photos = [crop_of(faces[face_id]) for face_id in enrolled]
    if arm.kind == "copy" or arm.transfers is None:
        return Added([photo for photo in photos for _ in range(arm.faces)], 0)
    rows = _rows(root, arm, enrolled)
    make = warper(root, arm.transfers) if arm.kind == "warp" else decoded
    pictures: list[Picture] = []
    for photo, own in zip(photos, rows, strict=True):
        made = make(own) if own else [photo]
        sized = [resize_rgb(picture, len(photo)) for picture in made]
        pictures += [sized[number % len(sized)] for number in range(arm.faces)]
    marked = [add_unread_watermark(picture, WATERMARK) for picture in pictures] if arm.watermark else pictures
    return Added(marked, sum(not own for own in rows))


def _rows(root: Root, arm: Arm, enrolled: Sequence[str]) -> list[list[TransferRow]]:
    """The rows that an arm takes of each person, the plan's first ones."""
    assert arm.transfers is not None
    columns = ["identity_face_id", "expression_face_id", "rank", "seed", "status", "image", "further_source_ids"]
    chosen: list[TransferRow] = open_table(root, "transfers", arm.transfers).to_table(columns=columns).to_pylist()
    chosen.sort(key=lambda row: (row["identity_face_id"], row["rank"] or 0, row["expression_face_id"]))
    of_face: dict[str, list[TransferRow]] = {face_id: [] for face_id in enrolled}
    for row in chosen:
        own = of_face.get(row["identity_face_id"])
        if (
            own is not None
            and len(own) < arm.faces
            and row["image"] is not None
            and (arm.kind != "generated" or row["status"] == "ok")
        ):
            own.append(row)
    return [of_face[face_id] for face_id in enrolled]


def decoded(rows: Sequence[TransferRow]) -> list[Picture]:
    """The generated faces."""
    return [decode_rgb(row["image"] or b"") for row in rows]


def warper(root: Root, transfers: str) -> Callable[[Sequence[TransferRow]], list[Picture]]:
    """The sources of pairs moved to the landmarks that the generator was asked for."""
    settings = settings_of(read_manifest(root, "transfers", transfers).about)
    generator = PairGenerator(root, settings)
    side_px = crop_size_px(root, settings.source_set)

    def warped(rows: Sequence[TransferRow]) -> list[Picture]:
        made: list[Picture] = []
        for start in range(0, len(rows), _AT_ONCE):
            some = rows[start : start + _AT_ONCE]
            columns = ["crop", "landmarks_xy", "landmark_scheme", "embedding"]
            sources = read_faces(root, [settings.source_set], {row["identity_face_id"] for row in some}, columns)
            drivers = read_faces(root, [settings.driver_set], {row["expression_face_id"] for row in some}, columns)
            pairs = [(sources[row["identity_face_id"]], drivers[row["expression_face_id"]]) for row in some]
            asked = generator.target_points(pairs, [generator.strength(row) for row in some])
            photos = np.stack([crop_of(source) for source, _ in pairs])
            own = _points([source for source, _ in pairs], side_px)
            to = _points([driver for _, driver in pairs], side_px) if asked is None else asked
            made += list(face_warped(photos, own.astype(np.float32), to.astype(np.float32)))
        return made

    return warped


def _points(rows: Sequence[FaceRow], side_px: int) -> np.ndarray:
    return np.stack([common_points(row, side_px) for row in rows])
