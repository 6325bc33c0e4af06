"""The gate's limits from real photos: what a generated face must reach is what a real photo of the person reaches.

Pairs of photos of one person are judged as if the second had been generated from the first: the face is found on its
crop, embedded and compared. What is measured there the limits let pass, all but the outermost; an unchanged and blurred
copy of the first photo shows what chance alone reaches.

Labels are not trusted: photos that are more like another person of the set are left out, and limits of similarity come
from the middle half of the pairs, which a few wrong labels hardly move.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import cv2
import numpy as np
import pyarrow.compute as pc

from mien.model.configuration.refine import refine
from mien.model.detection.detector import FaceDetector
from mien.model.detection.load import computes_on_device, detector_version, load_detector
from mien.model.errors import ModelError, SettingsError
from mien.model.evaluation.pairs import same_person_pairs
from mien.model.identity.label_check import compare_labels
from mien.model.identity.people import People
from mien.model.images.codec import resize_rgb
from mien.model.quality.calibration import CALIBRATED, by_measure, calibrated_limits
from mien.model.quality.face_measures import FaceMeasures
from mien.model.quality.gate import GateSettings
from mien.model.quality.judge import TargetFace, judge_faces, view_sources
from mien.storage import DamagedError, MissingError, Root, open_table
from mien.storage.artefacts import GATES, json_artefact, keep, load, read, warn_damaged
from mien.tasks.errors import UsageError
from mien.tasks.runtime.workers import on_device, tick, work_progress
from mien.tasks.sets.face_columns import common_points, crop_of, embedding_of
from mien.tasks.sets.faces import FaceTables, crop_size_px, detector_of, read_faces, usable_faces
from mien.tasks.sets.row_lookup import look_up
from mien.tasks.transfer.calibration import Calibration

PAIRS = 120
"""Pairs that are looked at; similarities of stored embeddings cost nothing and are taken of `SIMILARITIES`."""
SIMILARITIES = 4000
MAX_DOUBTFUL = 0.1
"""Share of the photos that are left out for their label, at most."""
FACES = 4000
"""At most so many faces, of people drawn at random, are compared with one another."""
SEED = 0
GROWTH = 2
"""Limits that nobody named stay until a set has so many times the faces that they were found from: with other limits
all faces would be made and judged anew."""
_BLUR = 0.01
"""Of the copies, as a share of the side: 1.3 px of 128."""
_CHUNK = 16
_log = logging.getLogger("mien.tasks")
_COLUMNS = ["identity", "crop", "embedding", "landmarks_xy", "landmark_scheme"]


def calibrate(root: Root, tables: FaceTables, pairs: int = PAIRS, size_px: int | None = None) -> Calibration:
    """Measures pairs of real photos of a set, in turns over its people.

    Args:
        root: Where the tables lie.
        tables: The set.
        pairs: At most so many are looked at.
        size_px: Side at which the pictures are judged; that of the crops if None.

    Raises:
        UsageError: nobody has two usable photos, or there is only one person.
    """
    detector = load_detector(detector_of(root, tables))
    labelled = _labelled(root, tables)
    if len(set(labelled.people)) < 2:
        raise UsageError(f"{tables.name} has fewer than two people with a label: calibration compares people")
    checked = compare_labels(labelled.embeddings, labelled.people, detector.similarity)
    sure = np.array([each.own is None or each.other is None or each.own > each.other for each in checked])
    # Where so many look wrong it is the embedder that cannot tell these people apart, not their labels.
    trusted = sure if (~sure).mean() <= MAX_DOUBTFUL else np.ones_like(sure)
    faces = labelled.take(np.flatnonzero(trusted))
    numbers = np.unique(np.array(faces.people), return_inverse=True)[1]
    try:
        sources, targets = same_person_pairs(numbers, min(pairs, len(faces.ids)), SEED)
        same = _similarities(detector, faces, *same_person_pairs(numbers, SIMILARITIES, SEED))
    except ModelError as error:
        raise UsageError(f"{tables.name} cannot be calibrated on: {error}") from error
    looked = [(faces.ids[source], faces.ids[target]) for source, target in zip(sources, targets, strict=True)]
    chunks = [looked[start : start + _CHUNK] for start in range(0, len(looked), _CHUNK)]
    networks = computes_on_device(detector_of(root, tables))
    with work_progress("calibrate", len(looked), "pairs"), ThreadPoolExecutor() as threads:
        found = list(threads.map(lambda chunk: on_device(networks, _measure, root, tables, size_px, chunk), chunks))
    real, copies = ([each for part in found for each in part[kind]] for kind in (0, 1))
    if not any(each.identity_similarity is not None for each in real):
        raise UsageError(f"{tables.name}: no face was found on any crop, so nothing can be calibrated")
    spread = {"real": by_measure(real), "copies": by_measure(copies)}
    return Calibration(
        limits=calibrated_limits(same, spread["real"]),
        faces=labelled.of_set,
        people=len(set(faces.people)),
        size_px=size_px or crop_size_px(root, tables),
        detector=detector_version(detector_of(root, tables)),
        left_out=int((~trusted).sum()),
        same_person=_quantiles(same),
        different_people=_quantiles(_similarities(detector, faces, *_strangers(numbers))),
        nearer_to_others=float((~sure).mean()),
        confused=len(People.of(faces.people, faces.embeddings, detector.similarity).confused(detector.similarity)),
        **{kind: {name: _quantiles(values) for name, values in of.items()} for kind, of in spread.items()},
    )


def _measure(
    root: Root, tables: FaceTables, size_px: int | None, pairs: Sequence[tuple[str, str]]
) -> tuple[list[FaceMeasures], list[FaceMeasures]]:
    """Of each pair the second photo, judged as if it had been generated from the first; and a blurred copy of the
    first, where a change was asked for."""
    faces = read_faces(root, [tables], {face for pair in pairs for face in pair}, _COLUMNS)
    detector, crop_px = load_detector(detector_of(root, tables)), crop_size_px(root, tables)
    real: list[FaceMeasures] = []
    copies: list[FaceMeasures] = []
    looked = [(faces[first], faces[second]) for first, second in pairs]
    photos = [resize_rgb(crop_of(source), size_px or crop_px) for source, _ in looked]
    own = [common_points(source, crop_px).astype(np.float64) for source, _ in looked]
    views = view_sources(detector, photos, own)
    for (source, target), photo, points, view in zip(looked, photos, own, views, strict=True):
        shown = resize_rgb(crop_of(target), size_px or crop_px)
        asked = TargetFace(
            source_embedding=embedding_of(source),
            driver_embedding=None,
            source_points=points,
            asked_points=common_points(target, crop_px),
            source=view,
        )
        blurred = cv2.GaussianBlur(photo, (0, 0), _BLUR * len(photo))
        judged, copy = judge_faces(detector, [shown, blurred], [asked, asked], GateSettings())
        real.append(judged)
        if copy.expression_reached is not None:
            copies.append(copy)
        tick()
    return real, copies


class _Faces(NamedTuple):
    """Labelled faces of a set."""

    ids: list[str]
    people: list[str]
    embeddings: np.ndarray
    of_set: int
    """How many the set has; those above may be a part of them."""

    def take(self, rows: np.ndarray) -> _Faces:
        """Some of them."""
        return _Faces(
            [self.ids[row] for row in rows], [self.people[row] for row in rows], self.embeddings[rows], self.of_set
        )


def _labelled(root: Root, tables: FaceTables) -> _Faces:
    """All faces of people drawn at random, until there are `FACES`."""
    rows = usable_faces(root, [tables], ["face_id", "identity"])
    labels = {row["face_id"]: str(row["identity"]) for row in rows if row["identity"] is not None}
    by_person: dict[str, list[str]] = {}
    for face_id in sorted(labels):
        by_person.setdefault(labels[face_id], []).append(face_id)
    names, ids = sorted(by_person), list[str]()
    for index in np.random.default_rng(SEED).permutation(len(names)):
        if len(ids) >= FACES:
            break
        ids += by_person[names[index]]
    found = look_up(root, "faces", tables.faces, "face_id", ids, ["embedding"])
    embeddings = {face_id: np.asarray(row["embedding"][0].as_py(), np.float32) for face_id, row in found}
    return _Faces(ids, [labels[face] for face in ids], np.stack([embeddings[face] for face in ids]), len(labels))


def _similarities(detector: FaceDetector, faces: _Faces, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.asarray(detector.similarity(faces.embeddings[first], faces.embeddings[second]), np.float64)


def _strangers(people: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of photos of two people."""
    first, second = np.random.default_rng(SEED).integers(len(people), size=(2, 2 * SIMILARITIES))
    apart = people[first] != people[second]
    return first[apart], second[apart]


def _quantiles(values: Sequence[float] | np.ndarray) -> list[float]:
    """At most 101 of them, from the least to the most."""
    known = np.sort(np.asarray(values, np.float64))
    return (known if len(known) <= 101 else np.quantile(known, np.linspace(0, 1, 101))).round(5).tolist()


# --- Kept -------------------------------------------------------------------------------------------------------------


_GATE = json_artefact(GATES, Calibration)


def keep_gate(root: Root, name: str, calibration: Calibration, crop_px: int) -> str:
    """Writes the limits of a set, for faces of the side that they were measured at; returns where they lie."""
    kept_as = name if calibration.size_px == crop_px else _of_side(name, calibration.size_px)
    keep(root, _GATE, kept_as, calibration)
    return root.uri(GATES.path(kept_as))


def _of_side(name: str, size_px: int) -> str:
    """What limits for faces of another side than the crops' are kept as; no set has such a name."""
    return f"{name}@{size_px}"


def named_gate(root: Root, name: str, size_px: int) -> Calibration:
    """The limits that were calibrated on a set for faces of a side: sharpness and texture depend on it.

    Raises:
        UsageError: the set was not calibrated at that side, or the file is damaged.
    """
    again = f"run mien calibrate --root {root.url} --set {name} --output-size {size_px}"
    others: list[int] = []
    for kept_as in (_of_side(name, size_px), name):
        try:
            found = _checked(read(root, _GATE, kept_as))
        except MissingError:
            continue
        except (DamagedError, SettingsError) as error:
            raise UsageError(f"{root.uri(GATES.path(kept_as))} is damaged ({error}): {again}") from error
        if found.size_px == size_px:
            return found
        others.append(found.size_px)
    if others:
        raise UsageError(f"{name} was calibrated at {others[0]} px, and the faces are to have {size_px}: {again}")
    raise UsageError(f"{name} was not calibrated: {again}")


def _checked(found: Calibration) -> Calibration:
    """Raises SettingsError unless its limits are some."""
    refine(GateSettings(), found.limits)
    return found


def set_gate(root: Root, tables: FaceTables, size_px: int) -> Calibration | None:
    """The limits of a set for faces of this side: those that are kept, found anew where there are none, where the set
    has twice as many faces as then, or where another detector judges.

    None where nothing can be calibrated on the set; the log says why.
    """
    crop_px = crop_size_px(root, tables)
    kept_as = tables.name if size_px == crop_px else _of_side(tables.name, size_px)
    try:
        kept = load(root, _GATE, kept_as)
        if kept is not None and _still_right(root, tables, _checked(kept), size_px):
            return kept
    except SettingsError as error:
        warn_damaged(f"{root.uri(GATES.path(kept_as))} is damaged ({error})", GATES)
    try:
        found = calibrate(root, tables, size_px=size_px)
    except UsageError as error:
        _log.warning("%s: the usual limits of the gate hold", error)
        return None
    keep_gate(root, tables.name, found, crop_px)
    return found


def _still_right(root: Root, tables: FaceTables, kept: Calibration, size_px: int) -> bool:
    labelled = (pc.field("status") == "ok") & pc.field("identity").is_valid()
    faces = open_table(root, "faces", tables.faces).count_rows(filter=labelled)
    alike = (kept.detector, kept.size_px) == (detector_version(detector_of(root, tables)), size_px)
    return alike and faces < GROWTH * kept.faces


def gate_for(root: Root, tables: FaceTables, name: str | None, asked: GateSettings, size_px: int) -> GateSettings:
    """The limits that judge the faces of a job: what is asked for, then what was calibrated on the set `name` or,
    without a name, on the set of the sources. What neither has is left to the built-in limits.

    Raises:
        UsageError: the named set was not calibrated at this side.
    """
    if name is None and asked.chosen().keys() >= CALIBRATED:
        return asked  # nothing is left to be found
    found = set_gate(root, tables, size_px) if name is None else named_gate(root, name, size_px)
    return asked if found is None else GateSettings(**found.limits | asked.chosen())


def gate_doubts(root: Root, name: str, size_px: int) -> tuple[str, ...]:
    """What the calibration on a set says against its embedder; nothing where the set was not calibrated."""
    found = load(root, _GATE, name) or load(root, _GATE, _of_side(name, size_px))
    return () if found is None else tuple(found.doubts(name))
