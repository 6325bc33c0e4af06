"""Which detector `auto` stands for. Nothing is loaded to tell."""

from __future__ import annotations

from mien.model.detection.load import check_detector
from mien.model.graphs.mediapipe_files import is_installed

AUTO = "auto"


def check_choice(spec: str) -> None:
    """Raises DetectorError unless this can name a detector, `auto` included."""
    if spec != AUTO:
        check_detector(spec)


def chosen_detector(spec: str) -> str:
    """`mediapipe` for `auto` where its files are installed, else `dlib`; any other name as it is.

    docs/detectors.md has the table that the order follows from.
    """
    if spec != AUTO:
        return spec
    return "mediapipe" if is_installed() else "dlib"
