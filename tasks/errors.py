"""What a user did or has to do, in one line. Every other exception is a bug and keeps its stack trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mien.model.errors import ModelError
from mien.storage import StorageError


class UsageError(Exception):
    """An argument cannot be right: an unknown set, an impossible size. The command line exits with 2."""


class RunError(Exception):
    """The arguments were right, the work could not be done. The command line exits with 1."""


class HopelessError(RunError):
    """Work that fails on item after item; nothing is tried again."""


class AbandonedError(Exception):
    """Work that was not begun since the run has failed already, with another error that says why."""


@contextmanager
def checking_arguments() -> Iterator[None]:
    """Within the block an error of storage or model is about what the user named: it becomes a UsageError."""
    try:
        yield
    except (StorageError, ModelError) as error:
        raise UsageError(str(error)) from error
