"""Errors of this package. Each message is one line that says what to do."""

from __future__ import annotations

from typing import ClassVar, Literal


def first_line(error: BaseException) -> str:
    """The first line of what an error says; its kind where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]


class ModelError(Exception):
    """Base of the errors that this package raises on purpose."""


class SettingsError(ModelError):
    """A setting that is unknown, of another type or out of its bounds."""


class ImageError(ModelError):
    """Bytes that are not a usable picture."""

    kind: ClassVar[Literal["source", "content"]] = "content"
    """Whether the same bytes stay unusable, or may be used when this machine has what it lacks now."""


class DecoderError(ImageError):
    """A picture or video that this machine cannot decode or look at now: a codec is missing, memory, or a service."""

    kind: ClassVar[Literal["source", "content"]] = "source"


_MEMORY_WORDS = (
    "bad_alloc",
    "bad allocation",
    "failed to allocate",
    "insufficient memory",
    "allocate memory",
    "out of memory",
)


def out_of_memory(error: BaseException) -> bool:
    """Whether an error is for want of memory. Libraries in C++ say so in words only."""
    if isinstance(error, MemoryError):
        return True
    text = str(error).lower()
    return any(words in text for words in _MEMORY_WORDS)


class DetectorError(ModelError):
    """A face detector that is unknown, not installed or whose weights cannot be had."""


class WeightsError(ModelError):
    """Weights that are missing, changed or of another model."""


class LicenceError(ModelError):
    """Weights whose terms do not allow what was asked for."""


class CredentialsError(ModelError):
    """A certificate or key that pictures cannot be signed with, or the library for it is not installed."""


class WatermarkError(ModelError):
    """The networks that hide and find a watermark are not installed, or are others."""


class TrainingError(ModelError):
    """A training that cannot go on."""


class GroupError(TrainingError):
    """Of several processes that train together one has gone."""


class DeviceError(ModelError):
    """A device that is not there."""
