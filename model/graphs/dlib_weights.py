"""The weights of dlib's face embedding, read from its own file without dlib.

dlib writes a network from the input to the output: per layer its name and its settings; where it has parameters, they
are one tensor. Layers are found by their names, in that order, and what training alone needs is passed over. Integers
are a byte (0x80: negative, low bits: length) and so many little-endian bytes; a float is two integers, mantissa and
exponent of 2; a tensor is version, samples, channels, rows, columns and float32 values (dlib/serialize.h,
dlib/float_details.h, dlib/cuda/tensor_tools.cpp of dlib 20; Boost licence).
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from mien.model.errors import DetectorError, WeightsError

LANDMARKS = "shape_predictor_68_face_landmarks.dat"
EMBEDDING = "dlib_face_recognition_resnet_model_v1.dat"

CHIP_PX = 150
"""Side of the network's input."""

_PACKAGE = "face_recognition_models"

_INPUT, _CONV, _AFFINE, _FC = b"input_rgb_image_sized", b"con_4", b"affine_", b"fc_2"
_TENSOR_VERSION = 2


def weight_file(name: str) -> Path:
    """A weight file of the package, found without importing it (it needs a module that setuptools no longer has).

    Raises:
        DetectorError: the package is not installed.
    """
    spec = find_spec(_PACKAGE)
    path = Path(spec.origin).parent / "models" / name if spec and spec.origin else None
    if path is None or not path.is_file():
        raise DetectorError(
            f"the weights {name} are missing: pip install 'mien[dlib]', or 'mien[mediapipe]' for mediapipe"
        )
    return path


@dataclass(frozen=True)
class Convolution:
    """A convolution with the affine layer after it folded in: γ·(w∗x + b) + β = (γ·w)∗x + (γ·b + β)."""

    weight: Float32[np.ndarray, "out_channels in_channels side side"]
    bias: Float32[np.ndarray, " out_channels"]
    stride: int
    padding_px: int


@dataclass(frozen=True)
class DlibWeights:
    """All parameters of the network."""

    mean_rgb: tuple[float, float, float]
    """Taken from the pixels (0 to 255) before they are divided by 256."""
    convolutions: tuple[Convolution, ...]
    """In the order of computation."""
    output: Float32[np.ndarray, "in_channels outputs"]
    """Of the last layer, which has no bias."""


def read_dlib_weights(path: Path) -> DlibWeights:
    """The weights in a file such as `dlib_face_recognition_resnet_model_v1.dat`.

    Raises:
        WeightsError: the file ends early or is not such a network.
    """
    try:
        return _read(_Reader(path.read_bytes()))
    except (IndexError, ValueError, OverflowError) as error:
        raise WeightsError(f"{path.name} is not dlib's face embedding; reinstall face-recognition-models") from error


def _read(reader: _Reader) -> DlibWeights:
    reader.seek(_INPUT)
    red, green, blue = (reader.real() for _ in range(3))
    convolutions: list[Convolution] = []
    last = reader.next(_FC)
    while reader.next(_CONV, last) is not None:
        convolutions.append(_convolution(reader))
    reader.seek(_FC)
    outputs, inputs = reader.integer(), reader.integer()
    return DlibWeights((red, green, blue), tuple(convolutions), reader.tensor().reshape(inputs, outputs))


def _convolution(reader: _Reader) -> Convolution:
    """The next convolution and the affine layer behind it."""
    reader.seek(_CONV)
    values = reader.tensor()
    channels, rows, columns, stride, _, padding_px, _ = (reader.integer() for _ in range(7))
    weight, bias = values[:-channels].reshape(channels, -1, rows, columns), values[-channels:]
    reader.seek(_AFFINE)
    gamma, beta = reader.tensor().reshape(2, channels)
    return Convolution(weight * gamma[:, None, None, None], bias * gamma + beta, stride, padding_px)


class _Reader:
    """A position in the bytes of the file."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def seek(self, name: bytes) -> None:
        """Goes behind the next layer of that name."""
        self._at = self._data.index(_tag(name), self._at) + len(_tag(name))

    def next(self, name: bytes, before: int | None = None) -> int | None:
        """Where the next layer of that name begins, if it does before a position."""
        found = self._data.find(_tag(name), self._at, before)
        return found if found >= 0 else None

    def integer(self) -> int:
        """The next integer."""
        control = self._data[self._at]
        end = self._at + 1 + (control & 0x0F)
        magnitude = int.from_bytes(self._data[self._at + 1 : end], "little")
        self._at = end
        return -magnitude if control & 0x80 else magnitude

    def real(self) -> float:
        """The next float that is not of a tensor."""
        mantissa, exponent = self.integer(), self.integer()
        return mantissa * 2.0**exponent

    def tensor(self) -> Float32[np.ndarray, " values"]:
        """The values of the next tensor, flat."""
        version, *shape = (self.integer() for _ in range(5))
        if version != _TENSOR_VERSION:
            raise ValueError(f"tensors of version {version}")
        values = np.frombuffer(self._data, "<f4", int(np.prod(shape)), self._at)
        self._at += values.nbytes
        return values.astype(np.float32)


def _tag(name: bytes) -> bytes:
    """A name as dlib writes it: its length, an integer, and its characters."""
    return bytes([1, len(name)]) + name
