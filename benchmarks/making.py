"""Ways to make a face from photos of a person and an expression; benchmarks compare them by this one interface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from mien.model.expression.retargeting import Faces, RetargetSettings, neutrals_by_person, retarget
from mien.model.expression.shape_model import ShapeModel
from mien.model.images.codec import resize_rgb
from mien.model.inference.baselines import face_warped
from mien.model.inference.exported_generator import ExportedGenerator
from mien.model.inference.face_keypoints import Keypoints, asked_keypoints, of_one_scheme
from mien.storage import Root
from mien.tasks.generator.trained_on import Shown, TrainedOn
from mien.tasks.sets.face_columns import common_points, crop_of, landmarks_px, scheme_of
from mien.tasks.sets.faces import crop_size_px, face_tables, usable_faces

AT_ONCE = 16
_COLUMNS = ["face_id", "image_id", "identity", "split", "crop", "landmarks_xy", "landmark_scheme"]

Picture = UInt8[np.ndarray, "side side 3"]
Pictures = UInt8[np.ndarray, "batch side side 3"]
Points = Float[np.ndarray, "68 2"]


@dataclass(frozen=True)
class Photo:
    """An aligned photo of a person."""

    crop: Picture
    keypoints: Keypoints
    points: Points
    """The 68 common landmarks, in [-1, 1] over the crop."""
    neutral: Points
    """Of the person, in the same unit."""
    shown: Shown
    """Set, person and the hash of the photo's bytes."""
    split: str

    @property
    def person(self) -> str:
        """With the name of the set, since two sets may both have a person 01."""
        return f"{self.shown.set}/{self.shown.identity}"

    @property
    def grey(self) -> Photo:
        """The same photo without colour."""
        grey = cv2.cvtColor(self.crop, cv2.COLOR_RGB2GRAY)
        return replace(self, crop=np.repeat(grey[..., None], 3, axis=2))


@dataclass(frozen=True)
class Expression:
    """What is asked for, on the face of the person who is to show it."""

    points: Points
    """The common landmarks to reach, in [-1, 1] over the crop."""
    driver: Keypoints
    """Landmarks of the photo that the expression is from: lids and irises, where the generator's scheme has them."""


Make = Callable[[Sequence[tuple[Photo, ...]], Sequence[Expression], int], Pictures]
"""Pictures of a side in pixels, from the photos of each person (the one to prefer first) and an expression for each."""


def read_photos(root: Root, sets: Sequence[str]) -> tuple[list[Photo], ShapeModel]:
    """The labelled faces of prepared sets, and the model of face shapes that their neutrals are found with."""
    rows = [
        (row, crop_size_px(root, tables))
        for tables in (face_tables(root, name) for name in sets)
        for row in usable_faces(root, [tables], _COLUMNS)
        if row["identity"]
    ]
    rows.sort(key=lambda pair: (pair[0]["set"], pair[0]["face_id"]))
    points = np.stack([common_points(row, side_px) for row, side_px in rows]).astype(np.float64)
    shown = [Shown(row["set"], str(row["identity"]), str(row["image_id"])) for row, _ in rows]
    people = np.unique([f"{each.set}/{each.identity}" for each in shown], return_inverse=True)[1]
    model = ShapeModel.fit(points, people)
    neutrals = neutrals_by_person(points, people, model)[people]
    photos = [
        Photo(crop_of(row), Keypoints(landmarks_px(row), scheme_of(row), side_px), own, neutral, of, str(row["split"]))
        for (row, side_px), own, neutral, of in zip(rows, points, neutrals, shown, strict=True)
    ]
    return photos, model


def own_expressions(targets: Sequence[Photo]) -> list[Expression]:
    """The expression of each photo as it is: what is asked where source and target show one person."""
    return [Expression(photo.points, photo.keypoints) for photo in targets]


def retargeted(sources: Sequence[Photo], drivers: Sequence[Photo], model: ShapeModel) -> list[Expression]:
    """The expression of each driver on the face of the source in the same place, as a transfer asks for it."""
    source, driver = (
        Faces(np.stack([photo.points for photo in side]), np.stack([photo.neutral for photo in side]))
        for side in (sources, drivers)
    )
    points = retarget(source, driver, RetargetSettings(), model)
    return [Expression(asked, photo.keypoints) for asked, photo in zip(points, drivers, strict=True)]


def asked_landmarks(source: Photo, expression: Expression) -> Keypoints:
    """All landmarks that are asked of a person, in the scheme of both photos, in pixels of the source's crop."""
    shown, driver = of_one_scheme(source.keypoints, expression.driver, None)
    return asked_keypoints(shown, driver, expression.points)


# --- Ways -------------------------------------------------------------------------------------------------------------


def by_copy(sources: Sequence[tuple[Photo, ...]], expressions: Sequence[Expression], side_px: int) -> Pictures:
    """The first photo of each, whatever is asked."""
    return np.stack([resize_rgb(photos[0].crop, side_px) for photos, _ in zip(sources, expressions, strict=True)])


def by_warp(sources: Sequence[tuple[Photo, ...]], expressions: Sequence[Expression], side_px: int) -> Pictures:
    """The first photo of each, moved without any training, at the size that is asked for."""
    return _in_batches(_warped, sources, expressions, side_px)


def by_generator(generator: ExportedGenerator) -> Make:
    """A generator, which takes all photos of each person, and puts its images together at the size asked for."""

    def make(sources: Sequence[tuple[Photo, ...]], expressions: Sequence[Expression], side_px: int) -> Pictures:
        return _generated(generator, sources, expressions, side_px)

    return lambda sources, expressions, side_px: _in_batches(make, sources, expressions, side_px)


def _in_batches(
    make: Make, sources: Sequence[tuple[Photo, ...]], expressions: Sequence[Expression], side_px: int
) -> Pictures:
    batches = [slice(start, start + AT_ONCE) for start in range(0, len(sources), AT_ONCE)]
    return np.concatenate([make(sources[some], expressions[some], side_px) for some in batches])


def _warped(sources: Sequence[tuple[Photo, ...]], expressions: Sequence[Expression], side_px: int) -> Pictures:
    own, asked = (
        np.stack(points).astype(np.float32)
        for points in ([photos[0].points for photos in sources], [each.points for each in expressions])
    )
    return face_warped(by_copy(sources, expressions, side_px), own, asked)


def _generated(
    generator: ExportedGenerator,
    sources: Sequence[tuple[Photo, ...]],
    expressions: Sequence[Expression],
    side_px: int,
) -> Pictures:
    """Where a person has fewer photos than others, the first one fills up without any effect."""
    most, spec = max(map(len, sources)), generator.heatmap_spec
    present = np.array([[n < len(photos) for n in range(most)] for photos in sources])
    full = [(*photos, *[photos[0]] * (most - len(photos))) for photos in sources]
    asked = [_drawn(generator, photos[0], each)[1] for photos, each in zip(full, expressions, strict=True)]
    own = [
        [_drawn(generator, photo, each)[0] for photo in photos] for photos, each in zip(full, expressions, strict=True)
    ]
    return generator.generate(
        np.stack([np.stack([photo.crop for photo in photos]) for photos in full]),
        source_heatmaps=np.stack([np.stack([each.heatmap(spec) for each in of_row]) for of_row in own]),
        target_heatmaps=np.stack([each.heatmap(spec) for each in asked]),
        source_points=np.stack([np.stack([photo.points for photo in photos]) for photos in full]).astype(np.float32),
        target_points=np.stack([each.points for each in expressions]).astype(np.float32),
        present=present,
        side_px=side_px,
    )


def _drawn(generator: ExportedGenerator, photo: Photo, expression: Expression) -> tuple[Keypoints, Keypoints]:
    """The landmarks of a photo, and those asked for, in one scheme that the generator knows."""
    shown, driver = of_one_scheme(photo.keypoints, expression.driver, generator.scheme)
    return shown, asked_keypoints(shown, driver, expression.points)


# --- Generators -------------------------------------------------------------------------------------------------------


def load_generators(folders: Sequence[Path]) -> dict[str, ExportedGenerator]:
    """By the first characters of the hash of their weights."""
    return {str(its.sha256)[:8]: its for its in (ExportedGenerator.load(folder) for folder in folders)}


def about(name: str, generator: ExportedGenerator) -> str:
    """A line on what a generator is and what it was trained on."""
    told, config = generator.provenance, generator.generator.config
    data = told.get("data")
    sets = ", ".join(sorted(data)) if isinstance(data, dict) and data else "sets that it does not name"
    return (
        f"generator {name}: {config.kind}, {config.size_px} px, {told.get('steps', 'an unknown number of')} updates on "
        f"{sets}, faces by {generator.trained_with}"
    )


def seen_people(generator: ExportedGenerator, photos: Sequence[Photo]) -> set[str] | None:
    """The people of the photos whom a generator was trained on; None where it does not say whom."""
    record = TrainedOn.read(generator.provenance)
    if record is None:
        return None
    return {f"{name}/{identity}" for name, identity in record.seen(photo.shown for photo in photos)}
