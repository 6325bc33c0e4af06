"""One transfer from two photo files to one image file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.model.detection.crop import align_face
from mien.model.expression.retargeting import Faces, RetargetSettings, neutral_landmarks, retarget
from mien.model.images.codec import decode_rgb
from mien.model.landmarks.crop_units import from_px, to_px
from mien.model.landmarks.heatmaps import HeatmapSpec, render_heatmaps
from mien.model.landmarks.schemes import LandmarkScheme, to_common
from mien.model.quality.gate import Judgement, TargetFace
from mien.storage import Root, read_source
from mien.tasks.errors import RunError
from mien.tasks.generator.weights import RegisteredModel, load_model
from mien.tasks.transfer.generate import PairGenerator
from mien.tasks.transfer.photo_output import check_output, write_output
from mien.tasks.transfer.settings import TransferSettings


def transfer_photos(
    root: Root,
    registered: RegisteredModel,
    source: str,
    driver: str,
    out: str,
    faces: str,
    settings: RetargetSettings,
) -> Judgement:
    """Writes the person of `source` with the expression of `driver` to `out`; returns what the gate says of it.

    Raises:
        RunError: a photo shows no face.
        UsageError: `out` is one of the photos.
    """
    crop_px = load_model(root, registered.sha256).alignment.size_px
    pairs = PairGenerator(root, TransferSettings(registered, (), crop_px, faces, retarget=settings))
    person, asked = (_aligned(pairs, uri) for uri in (source, driver))
    target = _target(pairs, person.keypoints, asked.keypoints)
    image = _generated(pairs, person, target)
    check_output(out, (source, driver))
    write_output(out, image, registered)
    landmarks = target.landmarks_xy * (image.shape[0] / crop_px)
    (judged,) = pairs.judge(image[None], [TargetFace(person.embedding, asked.embedding, landmarks, target.scheme)])
    return judged


@dataclass(frozen=True)
class _Keypoints:
    """Landmarks of a crop."""

    landmarks_xy: np.ndarray
    """In pixels of the crop."""
    scheme: LandmarkScheme
    side_px: int

    def points(self) -> np.ndarray:
        """1 × 68 × 2, the common landmarks in [-1, 1]."""
        return from_px(to_common(self.landmarks_xy, self.scheme), self.side_px)[None]

    def heatmaps(self, spec: HeatmapSpec) -> np.ndarray:
        """1 × parts × side × side."""
        return render_heatmaps(self.landmarks_xy[None].astype(np.float32), self.scheme, self.side_px, spec)


@dataclass(frozen=True)
class _Face:
    """The largest face of a photo."""

    crop: np.ndarray
    keypoints: _Keypoints
    embedding: np.ndarray
    """Of the face in the photo."""


def _aligned(pairs: PairGenerator, uri: str) -> _Face:
    pixels = decode_rgb(read_source(uri))
    found = pairs.detector.find(pixels)
    if not found:
        raise RunError(f"no face found in {uri}: use a photo with one clearly visible face")
    face, aligned = found[0], align_face(pixels, found[0], pairs.generator.alignment)
    keypoints = _Keypoints(aligned.landmarks_xy, face.scheme, aligned.crop.shape[0])
    return _Face(aligned.crop, keypoints, pairs.detector.embed(pixels, [face])[0])


def _target(pairs: PairGenerator, source: _Keypoints, driver: _Keypoints) -> _Keypoints:
    """What is asked of the generator. The neutrals come from the one photo that there is of each person."""
    how, model = pairs.settings.retarget, pairs.generator.shape_model
    if how.kind == "none":
        return driver
    faces = [
        Faces(points, neutral_landmarks(points, model)[None])
        for points in (photo.points().astype(np.float64) for photo in (source, driver))
    ]
    points = retarget(faces[0], faces[1], how, model)[0]
    return _Keypoints(to_px(points, source.side_px).astype(np.float32), "ibug68", source.side_px)


def _generated(pairs: PairGenerator, source: _Face, target: _Keypoints) -> np.ndarray:
    generator = pairs.generator
    images = generator.generate(
        source.crop[None],
        source_heatmaps=source.keypoints.heatmaps(generator.heatmap_spec),
        target_heatmaps=target.heatmaps(generator.heatmap_spec),
        source_points=source.keypoints.points().astype(np.float32),
        target_points=target.points().astype(np.float32),
    )
    return images[0]
