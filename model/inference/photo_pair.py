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
from mien.model.inference.face_keypoints import Keypoints, asked_keypoints, of_one_scheme
from mien.model.quality.gate import GateSettings
from mien.model.quality.judge import Judgement, TargetFace, judge_faces, view_sources

_ENOUGH_SIDE_PX = 700
"""Of the shorter side: the least that dlib looks at first, in a photo of so many or more."""


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
        how = retargeting or RetargetSettings()
        keypoints = of_one_scheme(source.keypoints, driver.keypoints, self.generator.scheme)
        points, target = self._target(*keypoints, how, strength)
        image = self._generated(source.crop, keypoints[0], target, points)
        own = source.keypoints.points().astype(np.float64)
        gazes = [each.gaze() for each in keypoints]
        asked = TargetFace(
            source.embedding,
            driver.embedding,
            source_points=own,
            asked_points=points.astype(np.float64),
            source=view_sources(self.detector, [resize_rgb(source.crop, len(image))], [own])[0],
            source_gaze=gazes[0],
            asked_gaze=gazes["eyes" in how.parts],
        )
        return TransferredFace(image, judge_faces(self.detector, [image], [asked], self.gate)[0])

    def _target(
        self, source: Keypoints, driver: Keypoints, how: RetargetSettings, strength: float
    ) -> tuple[Float[np.ndarray, "68 2"], Keypoints]:
        """What is asked of the generator: the common landmarks in [-1, 1], and those that its heatmap is drawn from.

        The neutrals come from the one photo that there is of each person.
        """
        check_strength(strength)
        model = self.generator.shape_model
        check_retargeting(how, model)
        if how.kind == "none" and strength == 1:
            return driver.points(), driver
        shown, asked = (photo.points()[None].astype(np.float64) for photo in (source, driver))
        person = Faces(shown, neutral_landmarks(shown, model)[None])
        moved = Faces(asked, neutrals_of_single_photos(asked, model))
        points = retarget(person, strengthened(moved, strength, model), how, model)[0]
        return points, asked_keypoints(source, driver, points, how.parts)

    def _generated(
        self,
        crop: UInt8[np.ndarray, "side side 3"],
        source: Keypoints,
        target: Keypoints,
        points: Float[np.ndarray, "68 2"],
    ) -> UInt8[np.ndarray, "size size 3"]:
        generator = self.generator
        images = generator.generate(
            crop[None, None],
            source_heatmaps=source.heatmap(generator.heatmap_spec)[None, None],
            target_heatmaps=target.heatmap(generator.heatmap_spec)[None],
            source_points=source.points()[None, None].astype(np.float32),
            target_points=points[None].astype(np.float32),
            side_px=generator.size_px,
        )
        return images[0]
