"""Embedders that report: another than the one that the generator learned from and the gate asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float

from mien.model.detection.detector import FaceDetector
from mien.model.detection.load import detector_version, load_detector
from mien.model.recognition.embedder import Embedder, as_arrays, embed, fit_embedder, from_arrays
from mien.model.recognition.pictures import as_seen
from mien.storage import Root, fingerprint, source_digest
from mien.storage.artefacts import EMBEDDERS, load_or_make, npz_artefact
from mien.tasks.errors import UsageError
from mien.tasks.experiment.arms import Picture
from mien.tasks.sets.face_columns import crop_of
from mien.tasks.sets.faces import FaceTables, read_faces, usable_faces

CODE = source_digest("mien.model.recognition.embedder")
UPDATES = 1500
"""Of an embedder that is trained here; more bring little with some hundred people."""
MIN_PEOPLE, MAX_PHOTOS = 16, 24
"""That an embedder is trained on at least, and photos of each at most."""

_EMBEDDER = npz_artefact(EMBEDDERS, as_arrays, from_arrays)

Vectors = Float[np.ndarray, "pictures dimensions"]


class Judge(Protocol):
    """Tells people apart."""

    @property
    def name(self) -> str:
        """As a reader is told."""
        ...

    @property
    def key(self) -> str:
        """Fingerprint of what decides its vectors."""
        ...

    def vectors(self, pictures: Sequence[Picture]) -> Vectors:
        """Of length 1; zeros where it finds no face."""
        ...


@dataclass(frozen=True)
class TrainedJudge:
    """An embedder that was trained here, on other people."""

    model: Embedder
    key: str
    people: int
    photos: int

    @property
    def name(self) -> str:
        """With what it was trained on."""
        return f"an embedder trained here on {self.photos} photos of {self.people} other people"

    def vectors(self, pictures: Sequence[Picture]) -> Vectors:
        """Of length 1."""
        return embed(self.model, as_seen(pictures))


@dataclass(frozen=True)
class NamedJudge:
    """A detector with an embedding."""

    detector: FaceDetector
    called: str

    @property
    def name(self) -> str:
        """As it was asked for."""
        return self.called

    @property
    def key(self) -> str:
        """Of the detector and its files."""
        return fingerprint([detector_version(self.called)])

    def vectors(self, pictures: Sequence[Picture]) -> Vectors:
        """Of length 1; zeros where it finds no face."""
        found: list[np.ndarray | None] = []
        for picture in pictures:
            faces = self.detector.find(picture)[:1]
            found.append(np.asarray(self.detector.embed(picture, faces)[0], np.float32) if faces else None)
        width = next((len(each) for each in found if each is not None), 1)
        full = np.stack([np.zeros(width, np.float32) if each is None else each for each in found])
        return full / np.maximum(np.linalg.norm(full, axis=1, keepdims=True), 1e-9)


@dataclass(frozen=True)
class JudgeSpec:
    """Which embedder reports; a value that worker processes load it by."""

    embedder: str | None
    """Named like a detector; None trains one."""
    sets: tuple[FaceTables, ...] = ()
    """Whose people it is trained on."""
    apart: tuple[str, ...] = ()
    """SHA-256 of the photos that take part in the experiment; people with one of them are left out."""
    seed: int = 0


def load_judge(root: Root, spec: JudgeSpec) -> Judge:
    """The embedder; one that was trained before is found.

    Raises:
        UsageError: there are too few other people to train one on.
    """
    if spec.embedder is not None:
        return NamedJudge(load_detector(spec.embedder), spec.embedder)
    people = others(root, spec)
    ids = [face_id for own in people for face_id in own]
    key = fingerprint(
        {"code": CODE, "faces": [s.faces for s in spec.sets], "ids": ids, "seed": spec.seed, "n": UPDATES}
    )
    model = load_or_make(root, _EMBEDDER, key, lambda: _trained(root, spec, people))
    return TrainedJudge(model, key, len(people), len(ids))


def others(root: Root, spec: JudgeSpec) -> list[list[str]]:
    """Ids of the faces that an embedder is trained on: those of each person who takes no part.

    Raises:
        UsageError: there are too few of these people.
    """
    rows = usable_faces(root, spec.sets, ["face_id", "image_id", "identity"])
    apart = set(spec.apart)
    used = {(row["set"], row["identity"]) for row in rows if row["image_id"] in apart}
    of_person: dict[tuple[str, str], list[str]] = {}
    for row in sorted(rows, key=lambda row: row["face_id"]):
        if row["identity"] and (row["set"], row["identity"]) not in used:
            of_person.setdefault((row["set"], row["identity"]), []).append(row["face_id"])
    people = {name: _spread(ids) for name, ids in sorted(of_person.items()) if len(ids) > 1}
    if len(people) < MIN_PEOPLE:
        raise UsageError(
            f"an embedder that reports needs {MIN_PEOPLE} people with two photos each, and there are {len(people)} who "
            "take no part here: name more sets with --embedder-set, or an embedder with --embedder"
        )
    return list(people.values())


def _spread(ids: Sequence[str]) -> list[str]:
    """At most `MAX_PHOTOS` of them, evenly spaced."""
    count = min(MAX_PHOTOS, len(ids))
    return [ids[n * len(ids) // count] for n in range(count)]


def _trained(root: Root, spec: JudgeSpec, people: Sequence[Sequence[str]]) -> Embedder:
    ids = [face_id for own in people for face_id in own]
    faces = read_faces(root, spec.sets, set(ids), ["crop"])
    seen = as_seen(crop_of(faces[face_id]) for face_id in ids)
    numbers = np.repeat(np.arange(len(people)), [len(own) for own in people])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the same weights on any number of cores
    try:
        return fit_embedder(seen, numbers, UPDATES, spec.seed)
    finally:
        torch.set_num_threads(threads)
