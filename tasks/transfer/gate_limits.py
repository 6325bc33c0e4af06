"""The gate's limits from real photos: what a generated face must reach is what a real photo of the person reaches.

Real crops are judged as generated faces are: the face is found on the crop, embedded, compared with the stored
embedding of another photo. What the limits let pass and refuse is measured on the same pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from mien.model.configuration.refine import refine
from mien.model.detection.detector import FaceDetector
from mien.model.detection.load import load_detector
from mien.model.errors import ModelError, SettingsError
from mien.model.evaluation.pairs import same_person_pairs
from mien.model.landmarks.schemes import LandmarkScheme
from mien.model.quality.gate import GateSettings, landmark_error
from mien.storage import DamagedError, MissingError, Root
from mien.storage.artefacts import GATES, json_artefact, keep, read
from mien.storage.rows import FaceRow
from mien.tasks.errors import UsageError
from mien.tasks.runtime.workers import in_worker, tick, work_progress
from mien.tasks.sets.face_columns import crop_of, embedding_of, landmarks_px, scheme_of
from mien.tasks.sets.faces import FaceTables, detector_of, read_faces, usable_faces

FALSE_REJECTS = 0.01
"""Share of real photos of a person that the limit on similarity refuses."""
UNCHANGED_ACCEPTED = 0.05
"""Share of unchanged copies of the source that the limit on the expression error lets pass."""
PAIRS = 400
SEED = 0
_COLUMNS = ["identity", "crop", "embedding", "landmarks_xy", "landmark_scheme"]


@dataclass(frozen=True)
class Calibration:
    """Limits, and what they were read from."""

    gate: GateSettings
    people: int
    same_person: tuple[float, ...]
    """Similarities of pairs of photos of one person, sorted."""
    different_people: tuple[float, ...]
    copy_errors: tuple[float, ...]
    """Expression error of an unchanged source, sorted."""
    detector_errors: tuple[float, ...]
    """Of the target photo itself, found again on its crop: what the detector alone is off."""

    def table(self) -> str:
        """Quantiles and limits as markdown."""
        shares = (0.01, 0.05, 0.5, 0.95, 0.99)
        rows = {
            "similarity, same person": self.same_person,
            "similarity, different people": self.different_people,
            "expression error, unchanged source": self.copy_errors,
            "expression error, the target photo itself": self.detector_errors,
        }
        head = f"| {len(self.same_person)} pairs, {self.people} people | " + " | ".join(f"{s:.0%}" for s in shares)
        lines = [f"{head} |", "|---" * (len(shares) + 1) + "|"]
        for name, values in rows.items():
            lines.append(f"| {name} | " + " | ".join(f"{v:.3f}" for v in np.quantile(values, shares)) + " |")
        similarity, error = self.gate.min_identity_similarity, self.gate.max_expression_error
        assert similarity is not None
        passing = float((np.array(self.different_people) >= similarity).mean())
        refused = float((np.array(self.detector_errors) > error).mean())
        return "\n".join(
            [
                *lines,
                "",
                f"least identity similarity {similarity:.3f}: refuses {FALSE_REJECTS:.0%} of real photos of the person "
                f"and lets {passing:.1%} of photos of other people pass",
                f"most expression error {error:.3f}: lets {UNCHANGED_ACCEPTED:.0%} of unchanged copies pass "
                f"and refuses {refused:.1%} of photos that show the expression",
            ]
        )


def calibrate(root: Root, tables: FaceTables, pairs: int = PAIRS) -> Calibration:
    """Measures pairs of real photos of a set, in turns over its people.

    Raises:
        UsageError: nobody has two usable photos, or there is only one person.
    """
    rows = [row for row in usable_faces(root, [tables], ["face_id", "identity"]) if row["identity"]]
    labels = [str(row["identity"]) for row in rows]
    people = np.unique(labels, return_inverse=True)[1] if labels else np.zeros(0, np.int64)
    try:
        sources, targets = same_person_pairs(people, pairs, SEED)
    except ModelError as error:
        raise UsageError(f"{tables.name} cannot be calibrated on: {error}") from error
    if len(set(people.tolist())) < 2:
        raise UsageError(f"{tables.name} has one person only: calibration compares people")
    random = np.random.default_rng(SEED)
    strangers = np.array([random.choice(np.flatnonzero(people != people[source])) for source in sources])
    ids = [[rows[n]["face_id"] for n in of] for of in (sources, targets, strangers)]
    with work_progress("calibrate", len(sources), "pairs"):
        measured = np.array(in_worker(_measure, root, tables, *ids))
    good = measured[~np.isnan(measured).any(1)]
    if not len(good):
        raise UsageError(f"{tables.name}: no face was found on any crop, so nothing can be calibrated")
    same, different, copies, again = (tuple(sorted(column.tolist())) for column in good.T)
    gate = GateSettings(
        min_identity_similarity=float(np.quantile(same, FALSE_REJECTS)),
        max_expression_error=float(np.quantile(copies, UNCHANGED_ACCEPTED)),
    )
    return Calibration(gate, len(set(people[sources].tolist())), same, different, copies, again)


def _measure(
    root: Root, tables: FaceTables, sources: Sequence[str], targets: Sequence[str], strangers: Sequence[str]
) -> list[list[float]]:
    """For each pair: similarity of target to source and to a stranger; error of the source, of the target again."""
    faces = read_faces(root, [tables], {*sources, *targets, *strangers}, _COLUMNS)
    detector = load_detector(detector_of(root, tables))
    out: list[list[float]] = []
    for ids in zip(sources, targets, strangers, strict=True):
        source, target, stranger = (faces[face_id] for face_id in ids)
        shown, unchanged = _look(detector, target), _look(detector, source)
        tick()
        if shown is None or unchanged is None:
            out.append([float("nan")] * 4)
            continue
        similar = [float(detector.similarity(shown.embedding, embedding_of(face))) for face in (source, stranger)]
        asked = landmarks_px(target), scheme_of(target)
        errors = [landmark_error(seen.landmarks_xy, seen.scheme, *asked) for seen in (unchanged, shown)]
        out.append([*similar, *errors])
    return out


class _Seen(NamedTuple):
    """The largest face on a crop."""

    embedding: np.ndarray
    landmarks_xy: np.ndarray
    scheme: LandmarkScheme


def _look(detector: FaceDetector, face: FaceRow) -> _Seen | None:
    """None where the detector finds no face on the crop."""
    crop = crop_of(face)
    found = detector.find(crop)
    return _Seen(detector.embed(crop, found[:1])[0], found[0].landmarks_xy, found[0].scheme) if found else None


# --- Kept -------------------------------------------------------------------------------------------------------------


_GATE = json_artefact(GATES, dict[str, Any])


def keep_gate(root: Root, name: str, calibration: Calibration) -> str:
    """Writes the limits of a set; returns where they lie."""
    keep(root, _GATE, name, asdict(calibration.gate))
    return root.uri(GATES.path(name))


def load_gate(root: Root, name: str | None, others: GateSettings) -> GateSettings:
    """The calibrated limits of a set, with `others` where it has none; `others` alone without a name.

    Raises:
        UsageError: the set was not calibrated, or the file is damaged.
    """
    if name is None:
        return others
    try:
        kept = asdict(refine(GateSettings(), read(root, _GATE, name)))
    except MissingError as error:
        raise UsageError(f"{name} was not calibrated: run mien calibrate --root {root.url} --set {name}") from error
    except DamagedError as error:
        raise UsageError(f"{error}: run mien calibrate again") from error
    except SettingsError as error:
        raise UsageError(f"{root.uri(GATES.path(name))} is damaged ({error}): run mien calibrate again") from error
    return replace(others, **{limit: value for limit, value in kept.items() if value is not None})
