"""Whether generated faces show the label that they carry: each travels with its driver's landmarks.

A result counts for its label if its expression is nearer to the mean expression of the label's drivers than to that of
the source photo. Expressions are what a face moves beyond the person's neutral, on one common face, from the front
(`model/expression/clusters.py`), and those of results are found by the judge.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow.compute as pc
from jaxtyping import Float

from mien.model.expression.clusters import offsets_from
from mien.model.quality.judge import Judgement
from mien.storage import Root, open_table, read_manifest, read_shard
from mien.storage.rows import FaceRow
from mien.tasks.generator.neutrals import Neutrals, load_neutrals
from mien.tasks.sets.face_columns import common_points
from mien.tasks.sets.faces import FaceTables, crop_size_px
from mien.tasks.sets.row_lookup import look_up
from mien.tasks.transfer.settings import TransferSettings, settings_of

MAX_RESULTS = 20_000
"""So many results are looked at: all of a job of usual size, and of larger ones the first."""
MAX_FACES = 500
"""Drivers of a label, at most, whose mean it is: the first by their ids, which are hashes."""
_COLUMNS = ["identity_face_id", "expression", "found_landmarks_xy", "status"]
_FACE_COLUMNS = ["face_id", "landmarks_xy", "landmark_scheme", "status"]

Means = Mapping[str, Float[np.ndarray, " offsets"]]


@dataclass(frozen=True)
class LabelReached:
    """The accepted faces of a label."""

    label: str
    faces: int
    reached: int
    """That are nearer to the label than to the source photo."""

    def line(self) -> str:
        """For users."""
        share = self.reached / max(1, self.faces)
        return f"{self.label}: {self.reached} of {self.faces} ({share:.0%}) are nearer to it than to the source photo"


def labels_reached(root: Root, transfers: str) -> list[LabelReached]:
    """For each label of a table of generated faces; nothing where no driver has one, or without retargeting."""
    manifest = read_manifest(root, "transfers", transfers)
    settings = settings_of(manifest.about)
    if settings.neutrals is None:
        return []
    neutrals = load_neutrals(root, settings.neutrals)
    means = _label_means(root, settings.driver_set, neutrals)
    counts = {label: [0, 0] for label in sorted(means)}
    for shard in manifest.shards if means else ():
        if sum(faces for faces, _ in counts.values()) >= MAX_RESULTS:
            break
        rows = read_shard(root, "transfers", shard.fingerprint, _COLUMNS).filter(
            (pc.field("status") == "ok") & pc.field("found_landmarks_xy").is_valid() & pc.field("expression").is_valid()
        )
        for label, reached in _reached(root, settings, neutrals, means, rows.to_pylist()):
            counts[label][0] += 1
            counts[label][1] += reached
    return [LabelReached(label, *found) for label, found in counts.items() if found[0]]


def checked_labels(
    root: Root, settings: TransferSettings, faces: Sequence[tuple[FaceRow, FaceRow]], judged: Sequence[Judgement]
) -> list[Judgement]:
    """The judgements of generated faces (each with source and driver), accepted ones rejected where the label is not
    reached. The means are those of the drivers as they are when the face is made."""
    if settings.neutrals is None:
        return list(judged)
    neutrals, means = load_neutrals(root, settings.neutrals), _kept_means(root, settings.driver_set, settings.neutrals)
    out: list[Judgement] = []
    for (source, driver), one in zip(faces, judged, strict=True):
        label, found = driver["expression"], one.landmarks_xy
        if one.reason is None and label is not None and label in means and found is not None:
            rest = neutrals.of([(settings.source_set.name, source["face_id"])])
            own = offsets_from(_points([source], settings.crop_size_px), rest)
            result = offsets_from(np.array(found, np.float64).reshape(1, 68, 2), rest)
            if not _nearer(result, means[label][None], own)[0]:
                one = replace(one, reason=f"nearer to the source photo's expression than to the label {label}")
        out.append(one)
    return out


def _nearer(results: np.ndarray, labels: np.ndarray, own: np.ndarray) -> list[bool]:
    """For each result whether it is nearer to its label than to its source photo."""
    return (np.linalg.norm(results - labels, axis=1) < np.linalg.norm(results - own, axis=1)).tolist()


@lru_cache(maxsize=2)
def _kept_means(root: Root, drivers: FaceTables, neutrals: str) -> Means:
    """Found once per process."""
    return _label_means(root, drivers, load_neutrals(root, neutrals))


def _reached(
    root: Root, settings: TransferSettings, neutrals: Neutrals, means: Means, rows: Sequence[Any]
) -> Iterator[tuple[str, bool]]:
    """The label of each row, and whether it is reached."""
    named = {row["identity_face_id"] for row in rows if row["expression"] in means}
    sources = {face["face_id"]: face for face in _faces(root, settings.source_set, sorted(named))}
    labelled = [row for row in rows if row["expression"] in means and row["identity_face_id"] in sources]
    if not labelled:
        return
    shown = [sources[row["identity_face_id"]] for row in labelled]
    rest = neutrals.of([(settings.source_set.name, face["face_id"]) for face in shown])
    own = offsets_from(_points(shown, settings.crop_size_px), rest)
    found = np.array([row["found_landmarks_xy"] for row in labelled], np.float64).reshape(-1, 68, 2)
    results, labels = offsets_from(found, rest), np.stack([means[row["expression"]] for row in labelled])
    for row, reached in zip(labelled, _nearer(results, labels, own), strict=True):
        yield row["expression"], reached


def _label_means(root: Root, drivers: FaceTables, neutrals: Neutrals) -> Means:
    """The mean expression of the drivers of each label."""
    usable = (pc.field("status") == "ok") & pc.field("expression").is_valid()
    faces = open_table(root, "faces", drivers.faces)
    known = faces.to_table(columns=["face_id", "expression"], filter=usable)
    means: dict[str, np.ndarray] = {}
    for label in known["expression"].unique().to_pylist():
        ids = known.filter(pc.field("expression") == label)["face_id"].to_pylist()
        some = _faces(root, drivers, sorted(set(ids))[:MAX_FACES])
        rest = neutrals.of_drivers([(drivers.name, face["face_id"]) for face in some])
        means[label] = offsets_from(_points(some, crop_size_px(root, drivers)), rest).mean(0)
    return means


def _faces(root: Root, tables: FaceTables, face_ids: Sequence[str]) -> list[Any]:
    """Rows of usable faces, in the order of their ids."""
    found = look_up(root, "faces", tables.faces, "face_id", face_ids, _FACE_COLUMNS)
    rows = (row.to_pylist()[0] for _, row in found)
    return sorted((row for row in rows if row["status"] == "ok"), key=lambda row: row["face_id"])


def _points(faces: Sequence[Any], side_px: int) -> np.ndarray:
    return np.stack([common_points(face, side_px) for face in faces]).astype(np.float64)
