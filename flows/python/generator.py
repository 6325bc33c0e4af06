"""`mien.load`: a registered generator for photos of a person and one of an expression."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import UInt8

from mien.flows.parameters import CHAMPION, ROOT
from mien.model.detection.load import load_ready_detector
from mien.model.device import Compute
from mien.model.devices import computing_on, device_in_force
from mien.model.errors import ImageError
from mien.model.expression.retargeting import RetargetSettings
from mien.model.expression.strength_range import check_strength
from mien.model.images.output_size import check_output_size
from mien.model.images.provenance import encode_image, format_of
from mien.model.inference.exported_generator import CONFIG, ExportedGenerator
from mien.model.inference.photo_pair import PhotoFace, PhotoPairs, check_sources
from mien.model.quality.judge import Judgement
from mien.storage import Root, read_source
from mien.tasks.errors import checking_arguments
from mien.tasks.generator.weights import load_model
from mien.tasks.tracking import fetch_model

_MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV")
"""Of Pillow, with 8 bits for each channel."""

Photo: TypeAlias = Any
"""RGB pixels (uint8, height × width × 3), a picture of Pillow, the bytes of a picture, or a path or URL of one."""


@dataclass(frozen=True)
class TransferredPhoto:
    """The face that came of a source and a driver, with its measures."""

    image: UInt8[np.ndarray, "size size 3"] | None
    """RGB pixels; None where one of the photos shows no face."""
    reason: str | None
    """Why it is not accepted, or why there is no image; None where it is accepted."""
    identity_similarity: float | None = None
    """Of the result to the source; None, as the other measures, where no face was found."""
    driver_similarity: float | None = None
    expression_error: float | None = None
    sharpness_ratio: float | None = None
    detector_score: float | None = None
    notes: tuple[str, ...] = ()
    """A line on each photo that was left out."""
    provenance: tuple[tuple[str, str], ...] = ()
    """What made it, as its file says."""

    @property
    def accepted(self) -> bool:
        """Whether the gate accepts it."""
        return self.reason is None

    def encoded(self, image_format: str = "png") -> bytes:
        """A PNG, JPEG or WebP that says that it is generated.

        Raises:
            ImageError: there is no image, or no such format.
        """
        if self.image is None:
            raise ImageError(f"there is no image: {self.reason}")
        return encode_image(self.image, format_of(f"image.{image_format}"), dict(self.provenance))

    def save(self, path: str | Path) -> None:
        """Writes what the suffix of the path says, marked as generated.

        Raises:
            ImageError: there is no image, or no known format has this suffix.
            OSError: the file cannot be written.
        """
        path = Path(path)
        format_of(str(path))
        path.write_bytes(self.encoded(path.suffix.removeprefix(".").lower()))


@dataclass(frozen=True)
class Generator:
    """A generator that transfers expressions between photos."""

    pairs: PhotoPairs
    uri: str
    """The registered version `models:/NAME/VERSION`, or the folder that it was loaded from."""

    def transfer(
        self,
        source: Photo | Sequence[Photo],
        driver: Photo,
        strength: float = 1,
        head_pose: float = 1,
        output_size: int | None = None,
    ) -> TransferredPhoto:
        """Gives the person of one photo or several the expression of another. The largest face of a photo counts.

        Args:
            source: Photo of the person: RGB pixels (uint8, height × width × 3), a picture of Pillow, the bytes of a
                picture, or a path or URL. Or a list or tuple of up to eight photos of the person: the first is followed
                in all else, the others show what it does not. One that seems to show somebody else is left out.
            driver: Photo of the expression, as one of the person.
            strength: How many times the driver's displacement from its neutral is taken over, 0.5 to 1.5.
            head_pose: 1 follows the driver's head pose, 0 keeps the source's.
            output_size: Side of the result, 64 to 1024 pixels; that of the crops that the generator learned from (256)
                if None.

        Raises:
            ImageError: a photo is no picture.
            StorageError: a path or URL cannot be read.
            ModelError: `strength`, `head_pose` or `output_size` is out of its bounds, or there are no or too many
                photos.
        """
        retargeting = RetargetSettings(head_pose=float(head_pose))
        check_strength(float(strength))
        check_output_size(output_size)
        photos: list[Photo] = list(source) if isinstance(source, list | tuple) else [source]
        check_sources(len(photos))
        pairs = replace(self.pairs, size_px=output_size)
        names = ["source", *(f"source {number}" for number in range(2, len(photos) + 1))]
        found: list[PhotoFace] = []
        for photo, name in zip([*photos, driver], [*names, "driver"], strict=True):
            face = _face(pairs, photo)
            if face is None:
                return TransferredPhoto(None, f"{name}: no face found: use a photo with one clearly visible face")
            found.append(face)
        person, left_out = pairs.one_person(found[:-1], names)
        made = pairs.transfer(person, found[-1], retargeting, float(strength))
        return replace(_with_measures(made.image, made.judgement, self._provenance()), notes=tuple(left_out))

    def _provenance(self) -> tuple[tuple[str, str], ...]:
        return ("generator", self.uri), ("weights", self.pairs.generator.sha256 or "")


def _face(pairs: PhotoPairs, photo: Photo) -> PhotoFace | None:
    if isinstance(photo, str | Path):
        return pairs.face_in(read_source(str(photo)))
    return pairs.face_in(photo) if isinstance(photo, bytes) else pairs.face(pixels_of(photo))


def _with_measures(image: np.ndarray, judged: Judgement, provenance: tuple[tuple[str, str], ...]) -> TransferredPhoto:
    return TransferredPhoto(
        image,
        judged.reason,
        identity_similarity=judged.identity_similarity,
        driver_similarity=judged.driver_similarity,
        expression_error=judged.expression_error,
        sharpness_ratio=judged.sharpness_ratio,
        detector_score=judged.detector_score,
        provenance=provenance,
    )


def load(
    model: str | Path = CHAMPION, *, root: str = ROOT, faces: str | None = None, device: str = "auto"
) -> Generator:
    """A generator for photos of a person and one of an expression.

    Args:
        model: Registered generator, models:/NAME@ALIAS or models:/NAME/VERSION, or the folder of an exported one.
        root: Root whose registry holds it: a folder or any fsspec URL. `MLFLOW_TRACKING_URI` names another registry.
        faces: Detector; that of the generator's training if None.
        device: What generator and detector compute on, as --device of the commands takes it; of several the first.

    Raises:
        UsageError: there is no such generator, detector or device.
        RunError: the registry does not answer.
        WeightsError: the weights are damaged.
    """
    with ExitStack() as block:
        with checking_arguments():
            block.enter_context(computing_on(device))
        generator, uri = _found(model, root, Compute.chosen("float32", device_in_force()))
        with checking_arguments():
            detector = load_ready_detector(faces or generator.trained_with)
    return Generator(PhotoPairs(generator, detector), uri)


def _found(model: str | Path, root: str, compute: Compute) -> tuple[ExportedGenerator, str]:
    """The generator, and what it is called."""
    folder = Path(model)
    if (folder / CONFIG).is_file():
        return ExportedGenerator.load(folder, compute=compute), str(folder)
    with checking_arguments():
        opened_root = Root(root)
    registered = fetch_model(opened_root, str(model))
    return load_model(opened_root, registered.sha256, compute), registered.uri


def pixels_of(photo: Any) -> UInt8[np.ndarray, "height width 3"]:
    """RGB pixels of an array or a picture of Pillow.

    Raises:
        ImageError: it is no picture, or an array of another shape or type.
    """
    if isinstance(photo, np.ndarray):
        if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3 or 0 in photo.shape:
            raise ImageError(
                f"an array of {photo.dtype} and shape {photo.shape} is no photo: give RGB as uint8, height × width × 3"
            )
        return np.ascontiguousarray(photo)
    return _of_pillow(photo)


def _of_pillow(photo: Any) -> UInt8[np.ndarray, "height width 3"]:
    from PIL import Image, ImageOps

    if not isinstance(photo, Image.Image):
        raise ImageError(f"{type(photo).__name__} is no photo: give an array, a picture of Pillow, bytes or a path")
    if photo.mode not in _MODES:
        raise ImageError(f"a picture of mode {photo.mode}, whose white is not known: convert it to RGB first")
    upright = ImageOps.exif_transpose(photo)
    if upright.has_transparency_data:
        layer = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return np.asarray(upright.convert("RGB"), np.uint8)
