"""The shards of a table as a filesystem for Arrow, in which no byte is read that was not compared with its seal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.fs as pafs

from mien.storage.errors import DamagedError
from mien.storage.root import Root, storage_errors
from mien.storage.seal import SealedFile, SealError


def sealed_filesystem(root: Root, seals: Mapping[str, str]) -> pafs.FileSystem:
    """The files of these paths (as `Root.full_path` gives them), each with its seal.

    A file that is damaged or is not the one that was committed raises StorageError when it is read.
    """
    return pafs.PyFileSystem(_SealedHandler(root.filesystem, seals))


class _SealedHandler(pafs.FSSpecHandler):  # type: ignore[misc]
    def __init__(self, filesystem: fsspec.AbstractFileSystem, seals: Mapping[str, str]) -> None:
        super().__init__(filesystem)
        self._seals = seals

    def open_input_file(self, path: str) -> pa.PythonFile:
        """A file of the table."""
        # Whoever reads a table has to learn which file is damaged, and Arrow names none.
        with storage_errors(path):
            return pa.PythonFile(_Named(self.fs.open(path, "rb"), path, self._seals[path]), mode="r")

    open_input_stream = open_input_file


class _Named(SealedFile):
    """A sealed file whose errors name it."""

    def __init__(self, binary: Any, path: str, seal: str) -> None:
        self._path = path
        try:
            super().__init__(binary)
        except SealError as error:
            raise self._damaged(error) from error
        if self.seal != seal:
            raise self._damaged("it is not the file that was committed")

    def read(self, size: int = -1) -> bytes:
        """The next bytes, compared."""
        try:
            return super().read(size)
        except SealError as error:
            raise self._damaged(error) from error

    def _damaged(self, why: object) -> DamagedError:
        return DamagedError(f"{self._path} is damaged ({why}): delete it and run the step that made it again")
