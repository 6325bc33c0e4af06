"""Whom a training learns from, and whom it is validated on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mien.storage import Root
from mien.tasks.generator.trained_on import Shown, TrainedOn
from mien.tasks.generator.weights import RegisteredModel, provenance_of
from mien.tasks.sets.face_rows import FaceOfSet
from mien.tasks.sets.faces import FaceTables, usable_faces


def split_rows(root: Root, sets: Sequence[FaceTables], split: str) -> list[FaceOfSet]:
    """The usable faces of named people of a split, in the order of the tables.

    A person who is held out in one set and trained on in another one, by the same photo, is not held out.
    """
    rows = [row for row in usable_faces(root, sets, _COLUMNS) if row["identity"]]
    chosen = [row for row in rows if row["split"] == split]
    if split == "train":
        return chosen
    seen = TrainedOn.of(map(_shown, (row for row in rows if row["split"] == "train")), "").seen(map(_shown, chosen))
    return [row for row in chosen if (row["set"], row["identity"]) not in seen]


def trained_on(root: Root, sets: Sequence[FaceTables], salt: str, start: RegisteredModel | None = None) -> TrainedOn:
    """What a generator that learned from these sets keeps of the people, and of those whom the one that its training
    began with had learned from."""
    own = TrainedOn.of(map(_shown, split_rows(root, sets, "train")), salt)
    before = None if start is None else TrainedOn.read(provenance_of(root, start.sha256))
    return own if before is None else replace(own, before=(before,))


_COLUMNS = ["face_id", "image_id", "identity", "split"]


def _shown(row: FaceOfSet) -> Shown:
    return Shown(row["set"], row["identity"] or "", row["image_id"])
