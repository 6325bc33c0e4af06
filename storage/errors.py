"""The errors that this package raises for what a user can put right.

Each says of which kind it is: `source` is the state of the outside world (a server that does not answer, a folder that
is not mounted), which the next run asks again; `content` is a property of bytes that were read, which stays.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from mien.storage.secrets import scrubbed

ErrorKind = Literal["source", "content"]
"""Also what the column `failure` of each table has."""


class StorageError(Exception):
    """A root, a table or a source cannot be used; the message is one line that says what to do, without secrets."""

    kind: ClassVar[ErrorKind] = "source"

    def __init__(self, message: str = "") -> None:
        super().__init__(scrubbed(message))


class MissingError(StorageError):
    """A file is not there."""


class DamagedError(StorageError):
    """The bytes of a file are not the ones that were written."""


class ChangedError(StorageError):
    """Another run has changed what this one was about to change."""


class TransientError(StorageError):
    """A source did not answer, or broke off: the same question may be answered a moment later."""

    is_exhausted = False
    """Whether it was asked several times already."""


class ContentError(StorageError):
    """Bytes that were read, and are not what they have to be, or are more than a limit allows."""

    kind: ClassVar[ErrorKind] = "content"


class OutsideError(StorageError):
    """An address that the run was not given: data may not lead there. Its row is rejected."""

    kind: ClassVar[ErrorKind] = "content"
