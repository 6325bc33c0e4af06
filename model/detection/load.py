"""Loading of detectors by name."""

from __future__ import annotations

from functools import cache

from mien.model.detection.detector import FaceDetector, LoadsBeforehand
from mien.model.detection.plugins import check_module, is_class_path, load_class, source_hash
from mien.model.devices import device_in_force, device_kind
from mien.model.errors import DetectorError

KINDS = ("dlib", "insightface", "mediapipe")
WITH_MESH = "+mediapipe"
"""Behind a pack of insightface: the landmarks are MediaPipe's."""
CHOICES = (
    f"mediapipe, dlib, insightface:PACK_OR_FOLDER, insightface:PACK_OR_FOLDER{WITH_MESH}, or module:Class of your own"
)
"""What can be named, for messages and help."""


def check_detector(spec: str) -> None:
    """Raises DetectorError unless this can name a detector; whether it can be loaded is another matter."""
    kind, colon, rest = spec.partition(":")
    if spec in ("dlib", "mediapipe") or (kind == "insightface" and rest.removesuffix(WITH_MESH)):
        return
    if kind in KINDS or not colon or not is_class_path(spec):
        raise DetectorError(f"unknown detector {spec!r}: use {CHOICES}")
    check_module(spec)


def load_detector(spec: str, device: str | None = None) -> FaceDetector:
    """The detector of this name, one per process and device.

    Args:
        spec: `mediapipe`; `dlib`; `insightface:` and the name of a model pack or the folder that holds one, with
            `+mediapipe` behind it for MediaPipe's landmarks; or `module:Class`, a class that can be imported and
            implements `FaceDetector` (docs/detectors.md).
        device: `cpu`, `cuda` or `cuda:N`, for the networks of detectors that come with the project; the one that is in
            force in this process if None (`model/devices.py`).

    Raises:
        DetectorError: unknown name, a class that is not allowed here, a missing package or module, a class that is no
            detector, or weights that cannot be had.
        DeviceError: no device has such a name.
    """
    return _loaded(spec, device or device_in_force())


@cache
def _loaded(spec: str, device: str) -> FaceDetector:
    check_detector(spec)
    kind, _, rest = spec.partition(":")
    if kind == "dlib":
        from mien.model.detection.dlib_detector import DlibDetector

        return DlibDetector(device)
    if kind == "mediapipe":
        from mien.model.detection.mediapipe_detector import MediaPipeDetector

        return MediaPipeDetector(device)
    if kind == "insightface" and rest.endswith(WITH_MESH):
        from mien.model.detection.insightface_mesh_detector import InsightFaceMeshDetector

        return InsightFaceMeshDetector(rest.removesuffix(WITH_MESH), device)
    if kind == "insightface":
        from mien.model.detection.insightface_detector import InsightFaceDetector

        return InsightFaceDetector(rest, device)
    return load_class(spec, FaceDetector)


def uses_mediapipe(spec: str) -> bool:
    """Whether the detector of this name needs the files of the package `mediapipe`."""
    return spec == "mediapipe" or (spec.startswith("insightface:") and spec.endswith(WITH_MESH))


def computes_on_device(spec: str) -> bool:
    """Whether the detector of this name spends its time in networks on the device that is in force.

    Then a process for each device is enough. dlib keeps to the CPU, insightface's models may, and one of the user's own
    decides itself.
    """
    kind = spec.partition(":")[0]
    if kind != "insightface":
        return kind == "mediapipe"
    from mien.model.detection.insightface_pack import runs_on

    return runs_on(device_in_force())


def load_ready_detector(spec: str, device: str | None = None) -> FaceDetector:
    """As `load_detector`, with all weights loaded: for pairs that somebody waits for."""
    detector = load_detector(spec, device)
    if isinstance(detector, LoadsBeforehand):
        detector.load_weights()
    return detector


def detector_version(spec: str) -> str:
    """Identifies code and weights of a detector: its own version, and of a `module:Class` its file as well.

    On CUDA the last digits are others, so there the version is another one; which of several devices it is says
    nothing.

    Raises:
        DetectorError: as `load_detector`.
    """
    version = load_detector(spec).version
    if spec.partition(":")[0] not in KINDS:
        return f"{version}-{source_hash(spec)}"
    kind = device_kind(device_in_force())
    return version if kind == "cpu" else f"{version}-{kind}"
