"""What an arm comes to: recognisers trained with its pictures, and an embedder's scores of them.

Each result is kept under the fingerprint of what decides it, so an experiment that was ended goes on where it was. What
is kept are numbers, no pictures and no names. Everything is computed on one core of the CPU: the same experiment gives
the same figures on any number of workers.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from mien.model.recognition.embedder import embed, fit_embedder
from mien.model.recognition.pictures import GreyFaces, as_images, as_seen, usual_augmentation
from mien.model.recognition.recogniser import TrainingSet, classes_of, trained
from mien.storage import Root, fingerprint, source_digest
from mien.storage.artefacts import EXPERIMENTS, json_artefact, keep, load
from mien.tasks.experiment.arms import Arm, Picture, added
from mien.tasks.experiment.judges import Judge, JudgeSpec, TrainedJudge, load_judge
from mien.tasks.runtime.workers import tick
from mien.tasks.sets.face_columns import crop_of
from mien.tasks.sets.faces import FaceTables, read_faces

CODE = source_digest(__name__)
TUNED_UPDATES, TUNED_RATE = 150, 0.1
"""Of an embedder that is trained further with an arm's pictures, and the factor of its learning rate."""
_LINEAR_C = 10.0


@dataclass(frozen=True)
class Told:
    """What a recogniser says of each probe."""

    tables: list[str]
    """Fingerprints of the tables that it follows from."""
    said: list[int]
    """A person's number for each."""
    without: int
    """People whom the arm has no face of."""


@dataclass(frozen=True)
class Scored:
    """What an embedder says of each probe."""

    tables: list[str]
    template: list[list[float]]
    """Cosines, probes × people: the template is the mean of a person's photo and added pictures."""
    linear: list[int]
    """The person by a linear classifier on the embeddings of photos and added pictures."""
    without: int


@dataclass(frozen=True)
class Tuned:
    """What an embedder that was trained further with an arm's pictures says of each probe."""

    tables: list[str]
    scores: list[list[float]]
    """Cosines, probes × people, with the person's photo alone."""


_TOLD = json_artefact(EXPERIMENTS, Told)
_SCORED = json_artefact(EXPERIMENTS, Scored)
_TUNED = json_artefact(EXPERIMENTS, Tuned)


@dataclass(frozen=True)
class Setup:
    """What all arms have in common."""

    tables: FaceTables
    """The set of the people, whose photos are told."""
    enrolled: FaceTables
    """The set of the photos that are known."""
    enrolled_ids: tuple[str, ...]
    """One of each person, in the order of their numbers."""
    probe_ids: tuple[str, ...]

    def tables_of(self, arm: Arm) -> list[str]:
        """Fingerprints of what an arm follows from."""
        return [self.tables.faces, self.enrolled.faces, *([arm.transfers] if arm.transfers else [])]


@dataclass(frozen=True)
class Training:
    """How the recognisers are trained."""

    updates: int
    augmented: bool
    """With the usual augmentation."""


def told_name(setup: Setup, arm: Arm, how: Training, seed: int) -> str:
    """What the result of a recogniser is kept as."""
    return fingerprint({"code": CODE, "setup": _key(setup), "arm": arm.key(), "how": vars(how), "seed": seed})


def seen_name(faces: TrainingSet, probes: GreyFaces, how: Training, seed: int) -> str:
    """The same by the pictures alone: arms that add the same ones have the same result."""
    pictures = (faces.photos, faces.of_photos, faces.made, faces.of_made, probes)
    seen = [None if each is None else hashlib.sha256(each.tobytes()).hexdigest() for each in pictures]
    return fingerprint({"code": CODE, "seen": seen, "how": vars(how), "seed": seed})


def _key(setup: Setup) -> list[object]:
    return [setup.tables_of(Arm("", "photo")), list(setup.enrolled_ids), list(setup.probe_ids)]


def tell(root: Root, setup: Setup, arm: Arm, ways: Sequence[Training], seeds: Sequence[int]) -> list[list[Told]]:
    """Trains a recogniser in each way with each seed, and lets it name the probes; runs in a worker process.

    All ways in one call, since the pictures of an arm take long to be made.
    """
    wanted = [[(how, seed, told_name(setup, arm, how, seed)) for seed in seeds] for how in ways]
    told = [[load(root, _TOLD, name) for _, _, name in own] for own in wanted]
    tick(sum(found is not None for own in told for found in own))
    if all(found is not None for own in told for found in own):
        return [[found for found in own if found is not None] for own in told]
    more = added(root, arm, setup.enrolled, setup.enrolled_ids)
    people = np.arange(len(setup.enrolled_ids))
    photos = as_seen(_crops(root, setup.enrolled, setup.enrolled_ids))
    made = as_seen(more.pictures) if more.pictures else None
    faces = TrainingSet(photos, people, made, None if made is None else np.repeat(people, arm.faces))
    probes = as_seen(_crops(root, setup.tables, setup.probe_ids))

    def one(how: Training, seed: int, name: str) -> Told:
        same, tables = seen_name(faces, probes, how, seed), setup.tables_of(arm)
        alike = load(root, _TOLD, same)
        if alike is None:
            with one_thread():
                model = trained(faces, len(people), how.updates, seed, augmented=how.augmented)
                alike = Told(tables, classes_of(model, probes).tolist(), 0)
            keep(root, _TOLD, same, alike)
        found = Told(tables, alike.said, more.without)
        keep(root, _TOLD, name, found)
        tick()
        return found

    return [
        [found or one(*each) for each, found in zip(own, known, strict=True)]
        for own, known in zip(wanted, told, strict=True)
    ]


@dataclass(frozen=True)
class Scoring:
    """How an embedder is asked."""

    judge: JudgeSpec
    augmented: bool
    """One usual augmentation of each picture takes its place, and where there are none, of the photo."""
    further: bool = False
    """Also after it was trained further; of an embedder that was trained here."""


def score(root: Root, setup: Setup, arm: Arm, how: Scoring, seed: int) -> tuple[Scored, Tuned | None]:
    """What an embedder makes of an arm's pictures; runs in a worker process."""
    with one_thread():
        judge = load_judge(root, how.judge)
        decides = {"code": CODE, "setup": _key(setup), "arm": arm.key(), "judge": judge.key, "seed": seed}
        decides["augmented"] = how.augmented
        scored_name, tuned_name = fingerprint(decides), fingerprint(decides | {"further": True})
        pictures = cache(lambda: _pictures(root, setup, arm, how.augmented, seed))
        scored, tuned = load(root, _SCORED, scored_name), None
        if scored is None:
            scored = _score(root, setup, arm, judge, *pictures())
            keep(root, _SCORED, scored_name, scored)
        if how.further and isinstance(judge, TrainedJudge):
            tuned = load(root, _TUNED, tuned_name)
            if tuned is None:
                tuned = Tuned(setup.tables_of(arm), _tuned(root, setup, judge, pictures()[0], seed))
                keep(root, _TUNED, tuned_name, tuned)
    tick()
    return scored, tuned


def _pictures(root: Root, setup: Setup, arm: Arm, augmented: bool, seed: int) -> tuple[list[Picture], int]:
    """What the arm adds, and how many people it has none of."""
    more = added(root, arm, setup.enrolled, setup.enrolled_ids)
    if not augmented:
        return more.pictures, more.without
    photos = [] if more.pictures else _crops(root, setup.enrolled, setup.enrolled_ids)
    return _augmented(more.pictures or [photo for photo in photos for _ in range(arm.faces)], seed), more.without


def _score(root: Root, setup: Setup, arm: Arm, judge: Judge, pictures: Sequence[Picture], without: int) -> Scored:
    photos, people = _crops(root, setup.enrolled, setup.enrolled_ids), len(setup.enrolled_ids)
    each = len(pictures) // people
    own, extra = judge.vectors(photos), judge.vectors(pictures) if pictures else None
    probes = judge.vectors(_crops(root, setup.tables, setup.probe_ids))
    if extra is None:
        templates, shown, labels = own, own, np.arange(people)
    else:
        templates = _unit(own + extra.reshape(people, each, -1).sum(1))
        shown = np.concatenate([own, extra])
        labels = np.concatenate([np.arange(people), np.repeat(np.arange(people), each)])
    with warnings.catch_warnings():
        # That there are hardly more pictures than people is what is measured.
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        linear = LogisticRegression(C=_LINEAR_C, max_iter=500).fit(shown, labels).predict(probes)
    return Scored(setup.tables_of(arm), _rounded(probes @ templates.T), linear.tolist(), without)


def _tuned(root: Root, setup: Setup, judge: TrainedJudge, pictures: Sequence[Picture], seed: int) -> list[list[float]]:
    photos, people = _crops(root, setup.enrolled, setup.enrolled_ids), len(setup.enrolled_ids)
    labels = np.concatenate([np.arange(people), np.repeat(np.arange(people), len(pictures) // people)])
    seen = as_seen([*photos, *pictures])
    model = fit_embedder(seen, labels, TUNED_UPDATES, seed, judge.model, TUNED_RATE)
    probes = embed(model, as_seen(_crops(root, setup.tables, setup.probe_ids)))
    return _rounded(probes @ embed(model, seen[:people]).T)


def enrolled_scores(root: Root, setup: Setup, judge: JudgeSpec) -> tuple[str, np.ndarray]:
    """The embedder's name, and cosines of each probe with each person's photo (probes × people)."""
    with one_thread():
        reporting = load_judge(root, judge)
        photos = reporting.vectors(_crops(root, setup.enrolled, setup.enrolled_ids))
        return reporting.name, reporting.vectors(_crops(root, setup.tables, setup.probe_ids)) @ photos.T


def _crops(root: Root, tables: FaceTables, face_ids: Sequence[str]) -> list[Picture]:
    faces = read_faces(root, [tables], set(face_ids), ["crop"])
    return [crop_of(faces[face_id]) for face_id in face_ids]


def _augmented(pictures: Sequence[Picture], seed: int) -> list[Picture]:
    random = torch.Generator().manual_seed(seed)
    out: list[Picture] = []
    for picture in pictures:
        planes = torch.cat([as_images(plane[None]) for plane in picture.transpose(2, 0, 1)], 1)
        moved = usual_augmentation(planes, random)[0].permute(1, 2, 0)
        out.append(((moved + 1) * 127.5).round().numpy().astype(np.uint8))
    return out


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def _rounded(scores: np.ndarray) -> list[list[float]]:
    return scores.astype(np.float64).round(5).tolist()


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums of several threads come in another order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
