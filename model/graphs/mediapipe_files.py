"""MediaPipe's face networks: files of the PyPI package `mediapipe`, which is looked for and not imported.

Later versions than 0.10.21 have no such files. That one asks for a numpy older than 2, so it is installed without what
it asks for; its code is not used. The files' hashes are checked, so results depend on no other version of them.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from functools import cache
from importlib.metadata import files
from importlib.util import find_spec
from pathlib import Path

import onnx

from mien.model.errors import DetectorError
from mien.model.graphs.network import Network

INSTALL = (
    "the detector mediapipe needs files of two packages: pip install 'mien[mediapipe]' and "
    "pip install --no-deps mediapipe==0.10.21"
)

_PACKAGE = "mediapipe"
_READER = "tflite"


@dataclass(frozen=True)
class NetworkFile:
    """A network of MediaPipe: input batch × side × side × 3 with values from 0 to 255."""

    path: str
    """In the package."""
    sha256: str
    side_px: int
    outputs: tuple[str, ...]
    scale: float
    """Pixels are multiplied by this, and then `shift` is added, as the network was trained."""
    shift: float

    @property
    def name(self) -> str:
        """Of the file."""
        return self.path.rpartition("/")[2]


SHORT_RANGE = NetworkFile(
    "modules/face_detection/face_detection_short_range.tflite",
    "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
    side_px=128,
    outputs=("boxes", "scores"),
    scale=2 / 255,
    shift=-1.0,
)
"""Finds large faces."""
FULL_RANGE = NetworkFile(
    "modules/face_detection/face_detection_full_range_sparse.tflite",
    "2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1",
    side_px=192,
    outputs=("boxes", "scores"),
    scale=2 / 255,
    shift=-1.0,
)
"""Finds smaller ones."""
MESH = NetworkFile(
    "modules/face_landmark/face_landmark.tflite",
    "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
    side_px=192,
    outputs=("points", "presence"),
    scale=1 / 255,
    shift=0.0,
)
"""468 points of a face, and whether there is one."""
REFINED_MESH = NetworkFile(
    "modules/face_landmark/face_landmark_with_attention.tflite",
    "e06a804e0144f9929eda782122916b35d60c697c3c9344013ca2bbe76a6ce2b4",
    side_px=192,
    outputs=("points", "lips", "left_eye", "right_eye", "left_iris", "right_iris", "presence"),
    scale=1 / 255,
    shift=0.0,
)
"""The same with a closer look at lips and eyes. Left and right as in the picture."""

FILES = (SHORT_RANGE, FULL_RANGE, MESH, REFINED_MESH)

CARRIED = "carried_mediapipe"
"""Folder beside this module, in the code of a registered model: its reader need not install the package."""
_LICENCE = "LICENSE"


def folder() -> Path:
    """Where the files lie: beside this module, or in the package.

    Raises:
        DetectorError: the package is not installed.
    """
    carried = Path(__file__).with_name(CARRIED)
    if carried.is_dir():
        return carried
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise DetectorError(INSTALL)
    return Path(spec.origin).parent


def is_installed() -> bool:
    """Whether all files are there, and what reads them. Hashes are not looked at."""
    try:
        where = folder()
    except DetectorError:
        return False
    return find_spec(_READER) is not None and all((where / file.path).is_file() for file in FILES)


def carry_files(graphs: Path) -> None:
    """Puts the files and their licence into another copy of this package, which then finds them there.

    Raises:
        DetectorError: the package is not installed.
    """
    where, carried = folder(), graphs / CARRIED
    for file in FILES:
        (carried / file.path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(where / file.path, carried / file.path)
    own = where / _LICENCE
    (carried / _LICENCE).write_text(own.read_text() if own.is_file() else _licence())


def _licence() -> str:
    """Of the installed package (Apache-2.0), whose copies have to come with it."""
    of_package = next((file for file in files(_PACKAGE) or () if file.name == _LICENCE), None)
    return _PACKAGE if of_package is None else of_package.read_text()


def read_graph(file: NetworkFile) -> onnx.ModelProto:
    """The network in a file.

    Raises:
        DetectorError: the package, or what reads its files, is not installed, or in another version.
    """
    path = folder() / file.path
    data = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise DetectorError(f"{file.name} is not that of mediapipe 0.10.21; {INSTALL}")
    try:
        from mien.model.graphs.tflite_graph import graph_of_tflite
    except ImportError as error:
        raise DetectorError(INSTALL) from error
    return graph_of_tflite(data, file.outputs, scale=file.scale, shift=file.shift)


def load_network(file: NetworkFile, device: str = "cpu") -> Network:
    """The network in a file, ready to run.

    Raises:
        DetectorError: the package, or what reads its files, is not installed, or in another version.
        DeviceError: this process has no such device.
    """
    return Network(read_graph(file), device)


@cache
def network_of(file: NetworkFile, device: str) -> Network:
    """As `load_network`, once per process and device."""
    return load_network(file, device)
