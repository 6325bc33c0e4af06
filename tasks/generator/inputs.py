"""Rows of faces in, what a generator takes out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from mien.model.expression.parts import PARTS, ExpressionPart
from mien.model.expression.retargeting import Faces, RetargetSettings, retarget
from mien.model.expression.shape_model import ShapeModel
from mien.model.expression.strength import strengthened
from mien.model.inference.exported_generator import ExportedGenerator
from mien.model.inference.face_keypoints import Keypoints, asked_keypoints, of_one_scheme
from mien.model.landmarks.heatmap_spec import HeatmapSpec
from mien.model.landmarks.schemes import LandmarkScheme
from mien.storage import Root
from mien.tasks.generator.neutrals import FaceKey, load_neutrals
from mien.tasks.sets.face_columns import common_points, crop_of, heatmap_of, landmarks_px, scheme_of
from mien.tasks.sets.face_rows import FaceWithHeatmap
from mien.tasks.sets.faces import FaceTables, prepare_settings

FacePair = tuple[FaceWithHeatmap, FaceWithHeatmap]
"""Source and driver."""


@dataclass(frozen=True)
class GeneratorInputs:
    """What the generator takes for a batch; see `ExportedGenerator.generate`."""

    sources: np.ndarray
    source_heatmaps: np.ndarray
    target_heatmaps: np.ndarray
    source_points: np.ndarray
    target_points: np.ndarray


@dataclass(frozen=True)
class HeatmapsFor:
    """How heatmaps are drawn for a generator."""

    spec: HeatmapSpec
    scheme: LandmarkScheme | None
    """Of the landmarks that it was trained on; None where it does not say."""
    cached: frozenset[str]
    """The sets whose heatmap cache was drawn to `spec`."""

    @staticmethod
    def of(root: Root, generator: ExportedGenerator, sets: Iterable[FaceTables]) -> HeatmapsFor:
        """For faces of these sets."""
        spec = generator.heatmap_spec
        alike = (s.name for s in sets if HeatmapSpec(**prepare_settings(root, s)["heatmaps"]) == spec)
        return HeatmapsFor(spec, generator.scheme, frozenset(alike))

    def gazes(
        self, pair: FacePair, crop_side_px: int, parts: Sequence[ExpressionPart]
    ) -> tuple[Float[np.ndarray, "2 2"] | None, Float[np.ndarray, "2 2"] | None]:
        """The source's, and the one that is asked for; None where the heatmaps do not show it."""
        source, driver = of_one_scheme(*_keypoints(pair, crop_side_px), self.scheme)
        return source.gaze(), (driver if "eyes" in parts else source).gaze()

    def drawn(self, face: FaceWithHeatmap, keypoints: Keypoints) -> UInt8[np.ndarray, "parts side side"]:
        """The heatmap of a face's own keypoints, from the cache where that was drawn so."""
        if face["set"] in self.cached and keypoints.scheme == face["landmark_scheme"]:
            return heatmap_of(face)
        return keypoints.heatmap(self.spec)


def generator_inputs(
    how: HeatmapsFor,
    pairs: Sequence[FacePair],
    crop_side_px: int,
    retargeted: Float[np.ndarray, "pairs 68 2"] | None = None,
    parts: Sequence[ExpressionPart] = PARTS,
    further: Sequence[Sequence[FaceWithHeatmap]] | None = None,
) -> GeneratorInputs:
    """For pairs of rows (source, driver) with crop, heatmap, landmarks.

    `retargeted` are the points to reach, in [-1, 1] over the crop, where they are not the drivers' own; `parts` of the
    expression follow the driver then. `further` are more sources of each pair, as many for all; none if None.
    """
    shown = [[source, *more] for (source, _), more in zip(pairs, further or [()] * len(pairs), strict=True)]
    heatmaps = [
        _heatmaps(how, sources, driver, crop_side_px, None if retargeted is None else retargeted[number], parts)
        for number, (sources, (_, driver)) in enumerate(zip(shown, pairs, strict=True))
    ]
    if retargeted is None:
        retargeted = np.stack([common_points(driver, crop_side_px) for _, driver in pairs])
    return GeneratorInputs(
        np.stack([[crop_of(source) for source in sources] for sources in shown]),
        np.stack([of_sources for of_sources, _ in heatmaps]),
        np.stack([of_target for _, of_target in heatmaps]),
        np.stack([[common_points(source, crop_side_px) for source in sources] for sources in shown]),
        retargeted.astype(np.float32),
    )


def _heatmaps(
    how: HeatmapsFor,
    sources: Sequence[FaceWithHeatmap],
    driver: FaceWithHeatmap,
    crop_side_px: int,
    asked: Float[np.ndarray, "68 2"] | None,
    parts: Sequence[ExpressionPart],
) -> tuple[UInt8[np.ndarray, "sources parts side side"], UInt8[np.ndarray, "parts side side"]]:
    """Of the sources and of the target, all drawn from landmarks of one scheme."""
    first, moved = of_one_scheme(*_keypoints((sources[0], driver), crop_side_px), how.scheme)
    shown = [first, *(_of_face(source, crop_side_px) for source in sources[1:])]
    if any(keypoints.scheme != first.scheme for keypoints in shown):
        shown, moved = [keypoints.common() for keypoints in shown], moved.common()
    of_sources = np.stack([how.drawn(*face) for face in zip(sources, shown, strict=True)])
    if asked is None:
        return of_sources, how.drawn(driver, moved)
    return of_sources, asked_keypoints(shown[0], moved, asked, parts).heatmap(how.spec)


def _keypoints(pair: FacePair, crop_side_px: int) -> tuple[Keypoints, Keypoints]:
    return _of_face(pair[0], crop_side_px), _of_face(pair[1], crop_side_px)


def _of_face(face: FaceWithHeatmap, crop_side_px: int) -> Keypoints:
    return Keypoints(landmarks_px(face), scheme_of(face), crop_side_px)


def retargeted_points(
    root: Root,
    neutrals: str | None,
    settings: RetargetSettings,
    shape_model: ShapeModel | None,
    pairs: Sequence[FacePair],
    crop_size_px: int,
    strengths: Sequence[float] | None = None,
) -> Float[np.ndarray, "pairs 68 2"] | None:
    """For pairs of rows (source, driver) what is asked for, in [-1, 1] over the crop; None: the drivers' own points.

    Each row names its `set`, whose people the neutrals are. `neutrals` is the fingerprint of `keep_neutrals`. Each pair
    has its own of `strengths`; without them all have the one that the settings begin with.
    """
    if neutrals is None:
        return None
    known = load_neutrals(root, neutrals)
    sources, drivers = ([pair[side] for pair in pairs] for side in (0, 1))
    source = Faces(_points(sources, crop_size_px), known.of(_keys(sources)))
    driver = Faces(_points(drivers, crop_size_px), known.of_drivers(_keys(drivers)))
    each = settings.strength.min if strengths is None else np.array(strengths)
    return retarget(source, strengthened(driver, each, shape_model), settings, shape_model)


def _points(rows: Sequence[FaceWithHeatmap], crop_size_px: int) -> Float[np.ndarray, "rows 68 2"]:
    return np.stack([common_points(row, crop_size_px) for row in rows]).astype(np.float64)


def _keys(rows: Sequence[FaceWithHeatmap]) -> list[FaceKey]:
    return [(row["set"], row["face_id"]) for row in rows]
