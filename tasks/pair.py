"""One transfer from two photo files to one image file."""

from __future__ import annotations

import numpy as np

from model.application import ApplicationModel
from model.crops import AlignedFace, align_face
from model.faces import FaceDetector, FoundFace, load_detector
from model.heatmaps import render_heatmaps
from model.images import decode_rgb, encode_png
from model.judging import AskedFace, GateSettings, judge_face
from model.landmarks import to_common
from storage import Root, read_source
from tasks.errors import RunError
from tasks.models import RegisteredModel, load_model


def transfer_photos(root: Root, registered: RegisteredModel, source: str, driver: str, out: str, faces: str) -> str:
    """Writes the person of `source` with the expression of `driver` to `out` (PNG); returns a line of measurements.

    Raises:
        RunError: a photo shows no face.
    """
    generator, detector = load_model(root, registered.sha256), load_detector(faces)
    (person, person_face, pixels), (asked, asked_face, asked_pixels) = (
        _align(detector, generator, uri) for uri in (source, driver)
    )
    image = _generate(generator, person, asked, person_face.scheme, asked_face.scheme)
    folder, _, name = out.rpartition("/")
    Root(folder or ".").write_bytes(name, encode_png(image))
    asked_of = AskedFace(
        detector.embed(pixels, [person_face])[0],
        detector.embed(asked_pixels, [asked_face])[0],
        asked.landmarks_xy * (image.shape[0] / asked.crop.shape[0]),
        asked_face.scheme,
    )
    judged = judge_face(detector, image, asked_of, GateSettings())
    if judged.identity_similarity is None or judged.expression_error is None:
        return f"{out}: written, but {judged.reason}"
    verdict = "accepted" if judged.reason is None else f"would be rejected: {judged.reason}"
    numbers = f"identity similarity {judged.identity_similarity:.3f}, expression error {judged.expression_error:.3f}"
    return f"{out}: {numbers}, {verdict}"


def _align(detector: FaceDetector, generator: ApplicationModel, uri: str) -> tuple[AlignedFace, FoundFace, np.ndarray]:
    pixels = decode_rgb(read_source(uri))
    found = detector.find(pixels)
    if not found:
        raise RunError(f"no face found in {uri}: use a photo with one clearly visible face")
    return align_face(pixels, found[0], generator.alignment), found[0], pixels


def _generate(generator: ApplicationModel, person: AlignedFace, asked: AlignedFace, *schemes: str) -> np.ndarray:
    side_px = person.crop.shape[0]
    faces = list(zip((person, asked), schemes, strict=True))
    heatmaps = [
        render_heatmaps(f.landmarks_xy[None].astype(np.float32), scheme, side_px, generator.heatmap_spec)  # pyright: ignore[reportArgumentType]
        for f, scheme in faces
    ]
    points = [(to_common(f.landmarks_xy, scheme) / side_px * 2 - 1).astype(np.float32)[None] for f, scheme in faces]  # pyright: ignore[reportArgumentType]
    images = generator.generate(
        person.crop[None],
        source_heatmaps=heatmaps[0],
        target_heatmaps=heatmaps[1],
        source_points=points[0],
        target_points=points[1],
    )
    return images[0]
