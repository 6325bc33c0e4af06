"""One photo's person with another photo's expression: found, aligned, retargeted, generated and judged."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, UInt8

from mien.model.detection.crop import align_face
from mien.model.detection.detector import FaceDetector, embed_faces, find_faces
from mien.model.expression.retargeting import (
    Faces,
    RetargetSettings,
    check_retargeting,
    neutral_landmarks,
    neutrals_of_single_photos,
    retarget,
)
from mien.model.expression.strength import strengthened
from mien.model.expression.strength_range import check_strength
from mien.model.images.codec import decode_rgb, image_size_px, resize_rgb
from mien.model.inference.exported_generator import ExportedGenerator
from mien.model.landmarks.crop_units import from_px, to_px
from mien.model.landmarks.heatmaps import HeatmapSpec, render_heatmaps
from mien.model.landmarks.schemes import LandmarkScheme, to_common
from mien.model.quality.gate import GateSettings
from mien.model.quality.judge import Judgement, TargetFace, judge_faces, view_sources

_ENOUGH_SIDE_PX = 700
"""Of the shorter side: the least that dlib looks at first, in a photo of so many or more."""


@dataclass(frozen=True)
class Keypoints:
    """Landmarks of a crop."""

    landmarks_xy: np.ndarray
    """In pixels of the crop."""
    scheme: LandmarkScheme
    side_px: int

    def points(self) -> Float[np.ndarray, "1 68 2"]:
        """The common landmarks in [-1, 1]."""
        return from_px(to_common(self.landmarks_xy, self.scheme), self.side_px)[None]

    def heatmaps(self, spec: HeatmapSpec) -> UInt8[np.ndarray, "1 parts side side"]:
        """As the cache of a set has them."""
        return render_heatmaps(self.landmarks_xy[None].astype(np.float32), self.scheme, self.side_px, spec)


@dataclass(frozen=True)
class PhotoFace:
    """The largest face of a photo."""

    crop: UInt8[np.ndarray, "side side 3"]
    keypoints: Keypoints
    embedding: np.ndarray
    """Of the face in the photo."""
    scale: float
    """Pixels of the crop per pixel of the photo, as it was decoded."""


@dataclass(frozen=True)
class TransferredFace:
    """What the generator made of a pair, and what the gate says of it."""

    image: UInt8[np.ndarray, "size size 3"]
    judgement: Judgement


@dataclass(frozen=True)
class PhotoPairs:
    """Transfers between single photos. What comes of a pair follows from the two photos and the settings alone."""

    generator: ExportedGenerator
    detector: FaceDetector
    """It finds the faces of the photos, and judges the results."""
    gate: GateSettings = field(default_factory=GateSettings)

    def face(self, pixels: UInt8[np.ndarray, "height width 3"]) -> PhotoFace | None:
        """The largest face of a photo; None where none is found.

        Raises:
            ImageError, DetectorError: as `find_faces`.
        """
        found = find_faces(self.detector, pixels)[:1]
        if not found:
            return None
        aligned = align_face(pixels, found[0], self.generator.alignment)
        keypoints = Keypoints(aligned.landmarks_xy, found[0].scheme, aligned.crop.shape[0])
        embedding = embed_faces(self.detector, pixels, found)[0]
        scale = float(np.sqrt(abs(np.linalg.det(aligned.source_to_crop[:, :2]))))
        return PhotoFace(aligned.crop, keypoints, embedding, scale)

    def face_in(self, data: bytes) -> PhotoFace | None:
        """The largest face of a photo, from the bytes of its file; a large JPEG is decoded no larger than it must be.

        Raises:
            ImageError: the bytes are no picture.
            DetectorError: as `find_faces`.
        """
        pixels = decode_rgb(data, _ENOUGH_SIDE_PX)
        found = self.face(pixels)
        if min(pixels.shape[:2]) < min(image_size_px(data)) and (found is None or found.scale > 1):
            return self.face(decode_rgb(data))
        return found

    def transfer(
        self,
        source: PhotoFace,
        driver: PhotoFace,
        retargeting: RetargetSettings | None = None,
        strength: float = 1.0,
    ) -> TransferredFace:
        """The person of `source` with the expression of `driver`.

        Args:
            source: Face of the person.
            driver: Face of the expression.
            retargeting: How the driver's landmarks become those that are asked for; the defaults if None.
            strength: How many times the driver's displacement from its neutral is asked for, 0.5 to 1.5.

        Raises:
            SettingsError: the strength is out of its bounds.
            ModelError: a shape model is asked for and there is none.
        """
        target = self._target(source.keypoints, driver.keypoints, retargeting or RetargetSettings(), strength)
        image = self._generated(source, target)
        own = source.keypoints.points()[0].astype(np.float64)
        asked = TargetFace(
            source.embedding,
            driver.embedding,
            source_points=own,
            asked_points=target.points()[0].astype(np.float64),
            source=view_sources(self.detector, [resize_rgb(source.crop, len(image))], [own])[0],
        )
        return TransferredFace(image, judge_faces(self.detector, [image], [asked], self.gate)[0])

    def _target(self, source: Keypoints, driver: Keypoints, how: RetargetSettings, strength: float) -> Keypoints:
        """What is asked of the generator. The neutrals come from the one photo that there is of each person."""
        check_strength(strength)
        model = self.generator.shape_model
        check_retargeting(how, model)
        if how.kind == "none" and strength == 1:
            return driver
        shown, asked = (photo.points().astype(np.float64) for photo in (source, driver))
        person = Faces(shown, neutral_landmarks(shown, model)[None])
        moved = Faces(asked, neutrals_of_single_photos(asked, model))
        points = retarget(person, strengthened(moved, strength, model), how, model)[0]
        return Keypoints(to_px(points, source.side_px).astype(np.float32), "ibug68", source.side_px)

    def _generated(self, source: PhotoFace, target: Keypoints) -> UInt8[np.ndarray, "size size 3"]:
        generator = self.generator
        images = generator.generate(
            source.crop[None],
            source_heatmaps=source.keypoints.heatmaps(generator.heatmap_spec),
            target_heatmaps=target.heatmaps(generator.heatmap_spec),
            source_points=source.keypoints.points().astype(np.float32),
            target_points=target.points().astype(np.float32),
        )
        return images[0]
