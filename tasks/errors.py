"""What a user did or has to do, in one line. Every other exception is a bug and keeps its stack trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mien.model.errors import ModelError
from mien.storage import StorageError
from mien.storage.errors import ErrorKind
from mien.storage.retries import is_transient
from mien.storage.secrets import scrubbed


class _OneLineError(Exception):
    """Its message goes to terminals, logs and Prefect: it has no secrets."""

    def __init__(self, message: str = "") -> None:
        super().__init__(scrubbed(message))


class UsageError(_OneLineError):
    """An argument cannot be right: an unknown set, an impossible size. The command line exits with 2."""


class RunError(_OneLineError):
    """The arguments were right, the work could not be done. The command line exits with 1."""


class HopelessError(RunError):
    """Work that fails on item after item; nothing is tried again."""


def failure_kind(error: BaseException) -> ErrorKind:
    """What a failed row says of its error: whether the next run asks again.

    `content` is a property of bytes that were read. Everything else is `source`: a server, a folder, a credential, a
    decoder that this machine lacks, memory.
    """
    cause: BaseException | None = error
    while cause is not None:
        if is_transient(cause):
            return "source"
        cause = cause.__cause__
    return "content" if getattr(error, "kind", "source") == "content" else "source"


class AbandonedError(Exception):
    """Work that was not begun since the run has failed already, with another error that says why."""


@contextmanager
def checking_arguments() -> Iterator[None]:
    """Within the block an error of storage or model is about what the user named: it becomes a UsageError."""
    try:
        yield
    except (StorageError, ModelError) as error:
        raise UsageError(str(error)) from error
