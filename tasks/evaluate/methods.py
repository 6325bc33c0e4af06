"""The pictures that are measured: what each method makes of the same pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from mien.model.device import Compute
from mien.model.devices import device_in_force
from mien.model.images.codec import resize_rgb
from mien.model.inference.baselines import face_warped, spline_warped
from mien.storage import Root
from mien.storage.rows import FaceRow
from mien.tasks.evaluate.results import COPY, GENERATED, SPLINE, WARP, EvaluationInputs, EvaluationPair, Kind
from mien.tasks.generator.inputs import HeatmapsFor, generator_inputs, retargeted_points
from mien.tasks.generator.weights import load_model
from mien.tasks.sets.face_columns import common_points, crop_of
from mien.tasks.sets.face_rows import FaceWithHeatmap
from mien.tasks.sets.faces import crop_size_px, read_faces

COLUMNS = ["crop", "landmarks_xy", "landmark_scheme", "embedding"]

Photos = UInt8[np.ndarray, "pairs side side 3"]


@dataclass(frozen=True)
class Pictures:
    """Photos and results of some pairs, all of the size that the evaluated generator makes."""

    faces: dict[str, FaceWithHeatmap]
    """The rows by id."""
    sources: Photos
    targets: Photos
    source_points: Float[np.ndarray, "pairs 68 2"]
    asked_points: Float[np.ndarray, "pairs 68 2"]
    """In [-1, 1]."""
    results: dict[str, Photos]
    """By method."""


def make_pictures(root: Root, inputs: EvaluationInputs, kind: Kind, pairs: Sequence[EvaluationPair]) -> Pictures:
    """Reads the faces and lets each generator and baseline do its work."""
    ids = {face_id for p in pairs for face_id in (p.source, p.target, p.photo) if face_id}
    faces, side_px = read_faces(root, inputs.sets, ids, COLUMNS), crop_size_px(root, inputs.sets[0])
    sources, targets = [faces[p.source] for p in pairs], [faces[p.target] for p in pairs]
    rows = list(zip(sources, targets, strict=True))
    own_points = np.stack([common_points(row, side_px) for row in sources])
    compute = Compute.chosen("float32", device_in_force())
    generators = {method: load_model(root, sha256, compute) for method, sha256 in inputs.generators.items()}
    evaluated = generators[GENERATED]
    retargeted = retargeted_points(
        root,
        inputs.neutrals if kind == "cross" else None,
        inputs.retarget,
        evaluated.shape_model,
        rows,
        side_px,
    )
    size_px = evaluated.size_px
    photos = _photos(sources, size_px)
    given = {
        method: generator_inputs(
            HeatmapsFor.of(root, generator, inputs.sets), rows, side_px, retargeted, inputs.retarget.parts
        )
        for method, generator in generators.items()
    }
    asked_points = given[GENERATED].target_points
    drawn = {
        method: generator.generate(**vars(given[method]), side_px=size_px) for method, generator in generators.items()
    }
    results = {method: np.stack([resize_rgb(image, size_px) for image in images]) for method, images in drawn.items()}
    moved = photos, own_points, asked_points
    results |= {SPLINE: spline_warped(*moved), WARP: face_warped(*moved), COPY: photos}
    return Pictures(faces, photos, _photos(targets, size_px), own_points, asked_points, results)


def _photos(rows: Sequence[FaceRow], size_px: int) -> Photos:
    return np.stack([resize_rgb(crop_of(row), size_px) for row in rows])
