"""One transfer from photo files to one image file."""

from __future__ import annotations

from collections.abc import Sequence

from mien.model.detection.choice import AUTO
from mien.model.detection.load import load_ready_detector
from mien.model.device import Compute
from mien.model.devices import device_in_force
from mien.model.expression.retargeting import RetargetSettings
from mien.model.inference.photo_pair import PhotoFace, PhotoPairs
from mien.model.quality.judge import Judgement
from mien.storage import Root, read_source
from mien.tasks.errors import RunError
from mien.tasks.generator.weights import RegisteredModel, load_model
from mien.tasks.transfer.photo_output import check_output, write_output


def transfer_photos(
    root: Root,
    registered: RegisteredModel,
    sources: Sequence[str],
    driver: str,
    out: str,
    faces: str,
    settings: RetargetSettings,
    size_px: int | None = None,
) -> tuple[Judgement, tuple[str, ...]]:
    """Writes the person of the sources with the expression of `driver` to `out`.

    The detector `auto` is that of the generator's training. Returns what the gate says of the face, and a line on each
    photo of the person that was left out.

    Raises:
        RunError: a photo shows no face.
        UsageError: `out` is one of the photos.
        SettingsError: there are too many sources, or the size is out of its bounds.
    """
    generator = load_model(root, registered.sha256, Compute.chosen("float32", device_in_force()))
    detector = load_ready_detector(generator.trained_with if faces == AUTO else faces)
    pairs = PhotoPairs(generator, detector, size_px=size_px)
    person, left_out = pairs.one_person([_face(pairs, uri) for uri in sources], sources)
    made = pairs.transfer(person, _face(pairs, driver), settings)
    check_output(out, (*sources, driver))
    write_output(out, made.image, registered)
    return made.judgement, tuple(left_out)


def _face(pairs: PhotoPairs, uri: str) -> PhotoFace:
    found = pairs.face_in(read_source(uri))
    if found is None:
        raise RunError(f"no face found in {uri}: use a photo with one clearly visible face")
    return found
