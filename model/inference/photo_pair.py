"""The person of one photo or several with another photo's expression: found, aligned, retargeted, generated, judged.

The first photo is followed in all but the pixels: its pose and place, its landmarks, and what the judge compares with.
The others show what it does not, such as the teeth of a smile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float, UInt8

from mien.model.detection.crop import align_face
from mien.model.detection.detector import FaceDetector, embed_faces, find_faces
from mien.model.errors import SettingsError
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
from mien.model.images.output_size import check_output_size
from mien.model.inference.exported_generator import ExportedGenerator
from mien.model.inference.face_keypoints import Keypoints, asked_keypoints, of_one_scheme
from mien.model.quality.gate import GateSettings
from mien.model.quality.judge import Judgement, TargetFace, judge_faces, view_sources

MAX_SOURCES = 8
"""Photos of a person that one face is made of, at most."""
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
    """Transfers between photos. What comes of a pair follows from its photos and the settings alone."""

    generator: ExportedGenerator
    detector: FaceDetector
    """It finds the faces of the photos, and judges the results."""
    gate: GateSettings = field(default_factory=GateSettings)
    size_px: int | None = None
    """Side of the results; that of the crops of the generator's training if None."""

    def __post_init__(self) -> None:
        check_output_size(self.size_px)

    @property
    def side_px(self) -> int:
        """Of the results."""
        return self.size_px or self.generator.alignment.size_px

    def face(self, pixels: UInt8[np.ndarray, "height width 3"]) -> PhotoFace | None:
        """The largest face of a photo; None where none is found.

        Raises:
            ImageError, DetectorError: as `find_faces`.
        """
        found = find_faces(self.detector, pixels)[:1]
        if not found:
            return None
        # Of a larger result the crop has the pixels that the photo has, too.
        trained = self.generator.alignment
        aligned = align_face(pixels, found[0], replace(trained, size_px=max(self.side_px, trained.size_px)))
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

    def one_person(self, faces: Sequence[PhotoFace], names: Sequence[str]) -> tuple[list[PhotoFace], list[str]]:
        """The faces that show the person of the first, and a line on each that is left out.

        Whether a photo shows somebody else the detector's embedding tells. A generator that takes one photo, or has
        learnt from one, gets the first alone.
        """
        if len(faces) > 1 and not self.generator.combines:
            return [faces[0]], [f"the generator takes one photo of a person: {names[0]}"]
        first, enough = faces[0], self.detector.same_person_similarity
        kept, lines = [first], list[str]()
        for face, name in zip(faces[1:], names[1:], strict=True):
            similar = float(self.detector.similarity(first.embedding, face.embedding))
            if similar >= enough:
                kept.append(face)
            else:
                told = f"similarity {similar:.2f} to {names[0]}, {enough:.2f} is one person"
                lines.append(f"{name} is left out: it seems to show somebody else ({told})")
        return kept, lines

    def transfer(
        self,
        sources: PhotoFace | Sequence[PhotoFace],
        driver: PhotoFace,
        retargeting: RetargetSettings | None = None,
        strength: float = 1.0,
    ) -> TransferredFace:
        """The person of the sources with the expression of `driver`.

        Args:
            sources: Face of the person, or up to eight of the same person (`one_person`), all of them found by this
                object: their crops have one side.
            driver: Face of the expression.
            retargeting: How the driver's landmarks become those that are asked for; the defaults if None.
            strength: How many times the driver's displacement from its neutral is asked for, 0.5 to 1.5.

        Raises:
            SettingsError: the strength is out of its bounds, or there are too many sources or none.
            ModelError: a shape model is asked for and there is none.
        """
        how, given = retargeting or RetargetSettings(), [sources] if isinstance(sources, PhotoFace) else list(sources)
        check_sources(len(given))
        source = given[0]
        keypoints = of_one_scheme(source.keypoints, driver.keypoints, self.generator.scheme)
        points, target = self._target(*keypoints, how, strength)
        image = self._generated(given, driver, target, points)
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
        sources: Sequence[PhotoFace],
        driver: PhotoFace,
        target: Keypoints,
        points: Float[np.ndarray, "68 2"],
    ) -> UInt8[np.ndarray, "size size 3"]:
        generator = self.generator
        shown = [of_one_scheme(each.keypoints, driver.keypoints, generator.scheme)[0] for each in sources]
        images = generator.generate(
            np.stack([each.crop for each in sources])[None],
            source_heatmaps=np.stack([each.heatmap(generator.heatmap_spec) for each in shown])[None],
            target_heatmaps=target.heatmap(generator.heatmap_spec)[None],
            source_points=np.stack([each.points() for each in shown])[None].astype(np.float32),
            target_points=points[None].astype(np.float32),
            side_px=self.side_px,
        )
        return images[0]


def check_sources(count: int) -> None:
    """Raises SettingsError, with one line, where a face cannot be made of so many photos."""
    if not 1 <= count <= MAX_SOURCES:
        raise SettingsError(f"a face is made of 1 to {MAX_SOURCES} photos of a person, not of {count}")
