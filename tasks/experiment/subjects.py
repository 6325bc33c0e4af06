"""Who takes part: people whom the generator never saw, one photo of each that is known, and all others as probes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mien.model.expression.common_face import displacement_sizes
from mien.storage import Root
from mien.storage.rows import FaceRow
from mien.tasks.errors import UsageError
from mien.tasks.generator.trained_on import Shown, TrainedOn
from mien.tasks.generator.weights import provenance_of
from mien.tasks.sets.face_columns import common_points
from mien.tasks.sets.face_rows import FaceOfSet
from mien.tasks.sets.faces import FaceTables, crop_size_px, usable_faces

_COLUMNS = ["face_id", "image_id", "identity", "expression", "landmarks_xy", "landmark_scheme"]
MIN_PEOPLE = 3
"""Fewer say nothing of others: an interval over two people is none."""


@dataclass(frozen=True)
class Probe:
    """A photo that is to be told."""

    face_id: str
    image_id: str
    person: int
    """Index in `Subjects.people`."""
    expressive: bool
    """Whether it shows more than a calm face: by its label where calm faces have one, else by its landmarks."""


@dataclass(frozen=True)
class Subjects:
    """The people of an experiment. `enrolled` and `photos` are of each person, in the order of `people`."""

    tables: FaceTables
    people: tuple[str, ...]
    enrolled: tuple[str, ...]
    """Ids of the faces that are known."""
    photos: tuple[str, ...]
    """SHA-256 of their files."""
    probes: tuple[Probe, ...]
    notes: tuple[str, ...]
    """Lines on who was left out."""

    @property
    def of_probes(self) -> np.ndarray:
        """The person of each probe, as a number."""
        return np.array([probe.person for probe in self.probes], np.int64)

    @property
    def expressive(self) -> np.ndarray:
        """Of each probe."""
        return np.array([probe.expressive for probe in self.probes], np.bool_)


def choose_subjects(root: Root, tables: FaceTables, generator: str, neutral: str | None) -> Subjects:
    """The people of a set whom the generator with these weights was not trained on and who have two photos or more.

    Of each person the calmest photo is enrolled: of those with the label `neutral` if it is given, the one whose
    landmarks are nearest to the person's own at rest.

    Raises:
        UsageError: fewer than three people are left, or nobody has a photo with the label.
    """
    rows = [row for row in usable_faces(root, [tables], _COLUMNS) if row["identity"]]
    notes: list[str] = []
    unseen = without_seen(root, tables, generator, rows, notes)
    counts = Counter(row["identity"] for row in unseen)
    kept = sorted((row for row in unseen if counts[row["identity"]] > 1), key=lambda row: row["face_id"])
    if single := sum(count == 1 for count in counts.values()):
        notes.append(f"{single} people have one photo and are left out")
    if neutral is not None:
        calm = {row["identity"] for row in kept if row["expression"] == neutral}
        if without := {row["identity"] for row in kept} - calm:
            notes.append(f"{len(without)} people have no photo with the label {neutral} and are left out")
        kept = [row for row in kept if row["identity"] in calm]
    people = sorted({str(row["identity"]) for row in kept})
    if len(people) < MIN_PEOPLE:
        raise UsageError(
            f"{tables.name} has {len(people)} people for the experiment, and it takes {MIN_PEOPLE}: labelled people "
            "with two photos whom the generator was not trained on"
            + ("" if neutral is None else f", one with the label {neutral}")
        )
    return _subjects(tables, people, kept, _how_expressive(root, tables, kept), neutral, notes)


def without_seen(
    root: Root, tables: FaceTables, generator: str, rows: Sequence[FaceOfSet], notes: list[str]
) -> list[FaceOfSet]:
    """The rows of people whom the generator with these weights was not trained on; `notes` gets lines on the others."""
    record = TrainedOn.read(provenance_of(root, generator))
    if record is None:
        notes.append("the generator does not say whom it was trained on: if it was these people, nothing here holds")
        return list(rows)
    seen = record.seen(Shown(tables.name, str(row["identity"]), str(row["image_id"])) for row in rows)
    names = {identity for _, identity in seen}
    if names:
        notes.append(f"{len(names)} people are left out, since the generator was trained on them")
    return [row for row in rows if row["identity"] not in names]


def _how_expressive(root: Root, tables: FaceTables, rows: Sequence[FaceRow]) -> np.ndarray:
    side_px = crop_size_px(root, tables)
    points = np.stack([common_points(row, side_px) for row in rows]).astype(np.float64)
    people = np.unique([str(row["identity"]) for row in rows], return_inverse=True)[1]
    return displacement_sizes(points, people)


def _subjects(
    tables: FaceTables,
    people: Sequence[str],
    rows: Sequence[FaceOfSet],
    expressive: np.ndarray,
    neutral: str | None,
    notes: Sequence[str],
) -> Subjects:
    usual = float(np.median(expressive))
    enrolled: list[FaceOfSet] = []
    probes: list[Probe] = []
    for number, name in enumerate(people):
        own = [index for index, row in enumerate(rows) if row["identity"] == name]
        calm = [index for index in own if neutral is None or rows[index]["expression"] == neutral]
        first = min(calm, key=lambda index: (expressive[index], rows[index]["face_id"]))
        enrolled.append(rows[first])
        for index in own:
            # One file may be in a set twice, under two names: the enrolled photo is no probe.
            if rows[index]["image_id"] == rows[first]["image_id"]:
                continue
            row = rows[index]
            shows = bool(expressive[index] > usual) if neutral is None else row["expression"] != neutral
            probes.append(Probe(row["face_id"], str(row["image_id"]), number, shows))
    return Subjects(
        tables,
        tuple(people),
        tuple(row["face_id"] for row in enrolled),
        tuple(str(row["image_id"]) for row in enrolled),
        tuple(probes),
        tuple(notes),
    )


def check_apart(used: Sequence[str], probes: Sequence[str]) -> None:
    """Raises UsageError where a photo (by the SHA-256 of its file) is used for training and is to be told as well."""
    if both := set(used) & set(probes):
        raise UsageError(
            f"{len(both)} of the photos to be told are used for training as well, such as {min(both)}: name sets "
            "without them"
        )
