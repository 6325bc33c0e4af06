"""One transfer from two photo files to one image file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.model.detection.crop import AlignedFace, align_face
from mien.model.detection.detector import FaceDetector, FoundFace
from mien.model.detection.load import load_detector
from mien.model.expression.retargeting import Faces, RetargetSettings, neutral_landmarks, retarget
from mien.model.images.codec import decode_rgb, encode_png
from mien.model.inference.exported_generator import ExportedGenerator
from mien.model.landmarks.crop_units import from_px, to_px
from mien.model.landmarks.heatmaps import HeatmapSpec, render_heatmaps
from mien.model.landmarks.schemes import LandmarkScheme, to_common
from mien.model.quality.gate import GateSettings, Judgement, TargetFace, judge_face
from mien.storage import Root, read_source
from mien.tasks.errors import RunError
from mien.tasks.generator.weights import RegisteredModel, load_model


def transfer_photos(
    root: Root,
    registered: RegisteredModel,
    source: str,
    driver: str,
    out: str,
    faces: str,
    settings: RetargetSettings,
) -> Judgement:
    """Writes the person of `source` with the expression of `driver` to `out` (PNG); returns what the gate says of it.

    Raises:
        RunError: a photo shows no face.
    """
    generator, detector = load_model(root, registered.sha256), load_detector(faces)
    (person, person_face, pixels), (asked, asked_face, asked_pixels) = (
        _align(detector, generator, uri) for uri in (source, driver)
    )
    side_px = person.crop.shape[0]
    given = _Keypoints(person.landmarks_xy, person_face.scheme, side_px)
    target = _asked(generator, given, _Keypoints(asked.landmarks_xy, asked_face.scheme, side_px), settings)
    image = _generate(generator, person.crop, given, target)
    folder, _, name = out.rpartition("/")
    Root(folder or ".").write_bytes(name, encode_png(image))
    asked_of = TargetFace(
        detector.embed(pixels, [person_face])[0],
        detector.embed(asked_pixels, [asked_face])[0],
        target.landmarks_xy * (image.shape[0] / side_px),
        target.scheme,
    )
    return judge_face(detector, image, asked_of, GateSettings())


def _align(detector: FaceDetector, generator: ExportedGenerator, uri: str) -> tuple[AlignedFace, FoundFace, np.ndarray]:
    pixels = decode_rgb(read_source(uri))
    found = detector.find(pixels)
    if not found:
        raise RunError(f"no face found in {uri}: use a photo with one clearly visible face")
    return align_face(pixels, found[0], generator.alignment), found[0], pixels


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


def _asked(generator: ExportedGenerator, source: _Keypoints, driver: _Keypoints, how: RetargetSettings) -> _Keypoints:
    """What is asked of the generator. The neutrals come from the one photo that there is of each person."""
    if how.kind == "none":
        return driver
    model = generator.shape_model
    faces = [
        Faces(points, neutral_landmarks(points, model)[None])
        for points in (photo.points().astype(np.float64) for photo in (source, driver))
    ]
    points = retarget(faces[0], faces[1], how, model)[0]
    return _Keypoints(to_px(points, source.side_px).astype(np.float32), "ibug68", source.side_px)


def _generate(generator: ExportedGenerator, crop: np.ndarray, source: _Keypoints, target: _Keypoints) -> np.ndarray:
    spec = generator.heatmap_spec
    images = generator.generate(
        crop[None],
        source_heatmaps=source.heatmaps(spec),
        target_heatmaps=target.heatmaps(spec),
        source_points=source.points().astype(np.float32),
        target_points=target.points().astype(np.float32),
    )
    return images[0]
