"""A detector whose native library does not survive some pictures, chosen as `tests.crashing_detector:Crashing`.

Which ones, the file says that the environment names: JSON, the SHA-256 of a picture's pixels and what happens to the
process that looks at it. So the same detector, by its version, is harmless where there is no such file.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mien.model.detection.detector import FoundFace
from tests.own_detector import DarkSquares

DETECTOR = "tests.crashing_detector:Crashing"
VARIABLE = "MIEN_TEST_CRASHES"
"""Names the file."""
SLOW_S = 0.4


class Crashing(DarkSquares):
    """Finds dark squares."""

    name = "crashing"

    def find(self, image: np.ndarray) -> list[FoundFace]:
        """The squares, unless the picture ends the process."""
        file = Path(os.environ.get(VARIABLE, "/nowhere"))
        what = json.loads(file.read_text()).get(pixels_sha256(image)) if file.exists() else None
        if what is not None:
            end_process(what)
        return super().find(image)


class CrashingTogether(Crashing):
    """The same, looking at several pictures at once."""

    def find_each(self, images: Sequence[np.ndarray]) -> list[list[FoundFace]]:
        """The squares in each, unless one of the pictures ends the process."""
        return [self.find(image) for image in images]


def pixels_sha256(image: np.ndarray) -> str:
    """What the file calls a picture."""
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()


def end_process(what: str) -> None:
    """Ends this process as native libraries do: `segfault`, `abort`, `exit`, `hang`, `memory`, `kill`; or, where a path
    follows `once:`, by a segfault when there is no file of this path yet. `slow` takes a while, and ends nothing."""
    how, _, path = what.partition(":")
    if how == "once" and Path(path).exists():
        return
    if how == "once":
        Path(path).touch()
    if how in ("segfault", "once"):
        ctypes.string_at(0)
    if how == "slow":
        time.sleep(SLOW_S)
    if how == "abort":
        os.abort()
    if how == "exit":
        os._exit(3)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "hang":
        ctypes.PyDLL(None).sleep(600)  # which keeps Python's lock, so that no thread of this process can help
    if how == "memory":
        hoard = [np.ones(2**20, np.uint8)]
        while True:
            hoard.append(np.ones(2**24, np.uint8))
