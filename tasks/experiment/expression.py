"""Which expression is it, on people who were not trained on? A generated face has the label of its driver.

The people whom the generator never saw are told in turns (folds); those of a fold give neither photos nor expressions
to its training. Everybody else of the set does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

import numpy as np

from mien.model.evaluation.paired import confusions, crossed, macro_f1, minus, recall
from mien.model.recognition.pictures import as_seen
from mien.model.recognition.recogniser import TrainingSet, classes_of, trained
from mien.storage import Root, fingerprint, open_table, source_digest
from mien.storage.artefacts import EXPERIMENTS, json_artefact, keep, load
from mien.storage.rows import TransferRow
from mien.tasks.errors import UsageError
from mien.tasks.experiment.arms import decoded, warper
from mien.tasks.experiment.measure import Told, Training, one_thread
from mien.tasks.experiment.recognition import GENERATED, PHOTO, PLACEBO, USUAL, WARP, with_usual
from mien.tasks.experiment.results import ArmResult, Experiment, ResultTable, Verdict
from mien.tasks.experiment.subjects import check_apart, without_seen
from mien.tasks.experiment.summary import adjusted_rows, beats, does_not_beat
from mien.tasks.runtime.workers import in_worker, tick, work_progress
from mien.tasks.sets.face_columns import crop_of
from mien.tasks.sets.faces import FaceTables, read_faces, usable_faces

CODE = source_digest(__name__)
MIN_PHOTOS, MIN_PEOPLE = 10, 3
"""Of a label; one with fewer photos, or photos of fewer people, is left out."""
_TOLD = json_artefact(EXPERIMENTS, Told)


@dataclass(frozen=True)
class PosedFace:
    """A photo with a label."""

    face_id: str
    image_id: str
    person: str
    label: int


@dataclass(frozen=True)
class Posed:
    """The photos of an expression experiment."""

    tables: FaceTables
    classes: tuple[str, ...]
    faces: tuple[PosedFace, ...]
    folds: tuple[tuple[str, ...], ...]
    """The people who are told in each."""
    notes: tuple[str, ...]

    def tested(self, fold: int) -> list[PosedFace]:
        """Photos that are told."""
        return [face for face in self.faces if face.person in self.folds[fold]]

    def trained(self, fold: int, share: float, seed: int) -> list[PosedFace]:
        """Photos that are trained on: of each label so large a share, at least one."""
        random = np.random.default_rng([seed, fold])
        chosen: list[PosedFace] = []
        for label in range(len(self.classes)):
            own = [face for face in self.faces if face.label == label and face.person not in self.folds[fold]]
            count = max(1, round(share * len(own)))
            chosen += [own[n] for n in sorted(random.permutation(len(own))[:count].tolist())]
        return chosen


def choose_posed(root: Root, tables: FaceTables, generator: str, folds: int, seed: int) -> Posed:
    """The labelled photos of a set, and who is told in each fold.

    Raises:
        UsageError: there are fewer people whom the generator was not trained on than folds, or fewer than two labels.
    """
    columns = ["face_id", "image_id", "identity", "expression"]
    rows = [r for r in usable_faces(root, [tables], columns) if r["identity"] and r["expression"]]
    photos = Counter(str(row["expression"]) for row in rows)
    people = {label: len({r["identity"] for r in rows if r["expression"] == label}) for label in photos}
    classes = sorted(label for label in photos if photos[label] >= MIN_PHOTOS and people[label] >= MIN_PEOPLE)
    notes = [
        f"the label {label} is left out: {photos[label]} photos of {people[label]} people"
        for label in sorted(photos.keys() - set(classes))
    ]
    if len(classes) < 2:
        raise UsageError(
            f"{tables.name} has {len(classes)} labels with {MIN_PHOTOS} photos of {MIN_PEOPLE} people, and it takes "
            "two: prepare it with a --pattern that tells expressions"
        )
    kept = sorted((row for row in rows if row["expression"] in classes), key=lambda row: row["face_id"])
    unseen = sorted({str(row["identity"]) for row in without_seen(root, tables, generator, kept, notes)})
    notes = [note.replace("are left out, since", "are trained on and not told, since") for note in notes]
    if len(unseen) < folds:
        raise UsageError(f"{len(unseen)} people of {tables.name} are new to the generator, too few for {folds} folds")
    order = np.random.default_rng(seed).permutation(len(unseen)).tolist()
    told = tuple(tuple(sorted(unseen[n] for n in order[fold::folds])) for fold in range(folds))
    number = {label: n for n, label in enumerate(classes)}
    faces = [
        PosedFace(r["face_id"], str(r["image_id"]), str(r["identity"]), number[str(r["expression"])]) for r in kept
    ]
    return Posed(tables, tuple(classes), tuple(faces), told, tuple(notes))


@dataclass(frozen=True)
class FoldFaces:
    """What is trained on and told in one fold, with one share of the photos."""

    fold: int
    share: float
    train: tuple[PosedFace, ...]
    test: tuple[PosedFace, ...]
    generated: str
    """Fingerprint of a table of `transfers` among the photos that are trained on."""
    placebo: str
    """The same of photos that were asked for their own landmarks."""

    def check(self) -> None:
        """Raises UsageError where a photo is both trained on and told."""
        check_apart([face.image_id for face in self.train], [face.image_id for face in self.test])


def run_expression(
    root: Root,
    posed: Posed,
    folds: Sequence[FoldFaces],
    seeds: int,
    updates: int,
    seed: int,
    about: Sequence[str],
) -> Experiment:
    """Trains and measures all arms in the worker processes.

    Raises:
        UsageError: a photo is both trained on and told.
    """
    for each in folds:
        each.check()
    arms = [(arm, augmented) for arm in (PHOTO, PLACEBO, WARP, GENERATED) for augmented in (False, True)]
    wanted = [(fold, arm, augmented) for fold in folds for arm, augmented in arms]
    with work_progress("train recognisers", len(wanted) * seeds, "recognisers"), ThreadPoolExecutor() as threads:
        done = threads.map(
            lambda of: in_worker(tell_expressions, root, posed, of[0], of[1], Training(updates, of[2]), range(seeds)),
            wanted,
        )
        told = {
            (fold.share, fold.fold, with_usual(arm) if augmented else arm): each
            for (fold, arm, augmented), each in zip(wanted, done, strict=True)
        }
    tables: list[ResultTable] = []
    shown: dict[str, tuple[tuple[int, ...], ...]] = {}
    for share in dict.fromkeys(fold.share for fold in folds):
        of_share = [fold for fold in folds if fold.share == share]
        counts = {
            name: _counts(posed, of_share, [told[share, fold.fold, name] for fold in of_share])
            for name in (with_usual(arm) if augmented else arm for arm, augmented in arms)
        }
        tables.append(_table(posed, of_share, counts, share, seed))
        for name in (USUAL, with_usual(GENERATED)):
            whole = counts[name].sum((0, 1)).astype(int)
            shown[f"{name}, {100 * share:g}% of the photos"] = tuple(tuple(row) for row in whole.tolist())
    return Experiment(
        f"expressions of {posed.tables.name}",
        tuple(about),
        posed.notes,
        tuple(tables),
        tuple(verdict for table in tables for verdict in _verdicts(table)),
        confusions=shown,
        classes=posed.classes,
        tried=tuple(
            f"{100 * s:g}% of the photos, fold {f}, {name}: {len(told[s, f, name])} seeds" for s, f, name in told
        ),
    )


def tell_expressions(
    root: Root, posed: Posed, fold: FoldFaces, arm: str, how: Training, seeds: Sequence[int]
) -> list[Told]:
    """Trains a recogniser with each seed, and lets it name the expressions of the fold; runs in a worker process."""
    source = {PHOTO: None, PLACEBO: fold.placebo}.get(arm, fold.generated)
    decides = {"code": CODE, "faces": posed.tables.faces, "classes": list(posed.classes), "arm": arm, "from": source}
    ids = [[face.face_id for face in fold.train], [face.face_id for face in fold.test]]
    names = [fingerprint({**decides, "ids": ids, "how": asdict(how), "seed": seed}) for seed in seeds]
    known = [load(root, _TOLD, name) for name in names]
    tick(sum(each is not None for each in known))
    if all(each is not None for each in known):
        return [each for each in known if each is not None]
    made, of_made = ([], []) if source is None else _made(root, posed, source, arm)
    photos = _photos(root, posed, fold.train)
    labels = np.array([face.label for face in fold.train], np.int64)
    seen = as_seen(made) if made else None
    faces = TrainingSet(photos, labels, seen, None if seen is None else np.array(of_made, np.int64))
    probes = _photos(root, posed, fold.test)
    tables = [posed.tables.faces, *([source] if source else [])]
    out: list[Told] = []
    for name, seed, found in zip(names, seeds, known, strict=True):
        if found is None:
            with one_thread():
                model = trained(faces, len(posed.classes), how.updates, seed, augmented=how.augmented)
                found = Told(tables, classes_of(model, probes).tolist(), 0)
            keep(root, _TOLD, name, found)
            tick()
        out.append(found)
    return out


def _photos(root: Root, posed: Posed, faces: Sequence[PosedFace]) -> np.ndarray:
    read = read_faces(root, [posed.tables], {face.face_id for face in faces}, ["crop"])
    return as_seen(crop_of(read[face.face_id]) for face in faces)


def _made(root: Root, posed: Posed, transfers: str, arm: str) -> tuple[list[np.ndarray], list[int]]:
    """Pictures of an arm with their labels, in the order of the table. Both arms that are made of its pairs take those
    whose generated face was accepted."""
    columns = ["identity_face_id", "expression_face_id", "expression", "seed", "status", "image", "further_source_ids"]
    rows: list[TransferRow] = open_table(root, "transfers", transfers).to_table(columns=columns).to_pylist()
    usable = [
        row for row in rows if row["expression"] in posed.classes and row["image"] is not None
        and (arm == PLACEBO or row["status"] == "ok")
    ]  # fmt: skip
    usable.sort(key=lambda row: (row["identity_face_id"], row["expression_face_id"]))
    make = warper(root, transfers) if arm == WARP else decoded
    return make(usable), [posed.classes.index(str(row["expression"])) for row in usable]


def _counts(posed: Posed, folds: Sequence[FoldFaces], told: Sequence[Sequence[Told]]) -> np.ndarray:
    """Confusions by seed and person of all folds together."""
    said = np.concatenate([np.array([each.said for each in of_fold]) for of_fold in told], axis=1)
    faces = [face for fold in folds for face in fold.test]
    people = np.unique([face.person for face in faces], return_inverse=True)[1]
    return confusions(said, np.array([face.label for face in faces]), people, len(posed.classes))


def _table(
    posed: Posed, folds: Sequence[FoldFaces], counts: dict[str, np.ndarray], share: float, seed: int
) -> ResultTable:
    bases = {USUAL: [PHOTO], GENERATED: [PHOTO, WARP], with_usual(GENERATED): [USUAL, with_usual(WARP)]}
    bases |= {PLACEBO: [PHOTO], WARP: [PHOTO], with_usual(PLACEBO): [USUAL], with_usual(WARP): [USUAL]}
    rows: list[ArmResult] = []
    for name, each in counts.items():
        seeds, people = each.shape[:2]
        f1 = macro_f1(each)
        over = {base: crossed(minus(f1, macro_f1(counts[base])), seeds, people, seed) for base in bases.get(name, ())}
        recalls = {
            f"recall {label}, %": crossed(recall(each, number), seeds, people, seed)
            for number, label in enumerate(posed.classes)
        }
        by_seed = [float(macro_f1(each[n : n + 1])(np.ones((1, 1)), np.ones((1, people)))[0]) for n in range(seeds)]
        rows.append(ArmResult(name, crossed(f1, seeds, people, seed), over, by_seed=tuple(by_seed), beside=recalls))
    photos = sum(len(fold.train) for fold in folds) / len(folds)
    title = f"{100 * share:g}% of the photos ({photos:.0f} a fold), {sum(len(f.test) for f in folds)} photos to tell"
    return ResultTable(f"photos_{100 * share:g}", title, "macro-F1, %", tuple(adjusted_rows(rows)))


def _verdicts(table: ResultTable) -> list[Verdict]:
    return [
        beats(table, with_usual(GENERATED), USUAL, 0.0),
        beats(table, GENERATED, PHOTO, 0.0),
        beats(table, GENERATED, WARP, 0.0),
        does_not_beat(table, with_usual(PLACEBO), USUAL),
    ]
