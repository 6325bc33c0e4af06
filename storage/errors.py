"""The one error that this package raises for what a user can put right."""

from __future__ import annotations


class StorageError(Exception):
    """A root, a table or a source cannot be used; the message is one line that says what to do."""


class MissingError(StorageError):
    """A file is not there."""


class DamagedError(StorageError):
    """The bytes of a file are not the ones that were written."""


class ChangedError(StorageError):
    """Another run has changed what this one was about to change."""
