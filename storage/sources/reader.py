"""The bytes of pictures, wherever they lie. What holds many of them stays open as long as it is read from."""

from __future__ import annotations

from typing import Protocol

from mien.storage.errors import StorageError
from mien.storage.root import storage_errors
from mien.storage.sources.access import open_source
from mien.storage.sources.archives import ArchiveReader
from mien.storage.sources.item import MOST_BYTES, SourceItem
from mien.storage.sources.parquet import ColumnReader


class _Container(Protocol):
    """A file that holds many pictures."""

    def read(self, item: SourceItem) -> bytes: ...

    def close(self) -> None: ...


class SourceReader:
    """Reads items one by one; in the order of the listing each archive and table is read through once at most."""

    def __init__(self) -> None:
        self._open: tuple[str, _Container] | None = None

    def __enter__(self) -> SourceReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, item: SourceItem) -> bytes:
        """The bytes of an item; of a video's frame, of the whole video.

        Raises:
            StorageError: they cannot be read, or are more than `MOST_BYTES`.
        """
        if item.offset_bytes is None and item.row is None:
            return read_source(item.uri)
        with storage_errors(item.uri):
            try:
                return self._container(item).read(item)
            except BaseException:
                self.close()  # its place in the file is not known any more
                raise

    def _container(self, item: SourceItem) -> _Container:
        if self._open is None or self._open[0] != item.uri:
            self.close()
            opened = ColumnReader(item.uri) if item.row is not None else ArchiveReader(item.uri)
            self._open = (item.uri, opened)
        return self._open[1]

    def close(self) -> None:
        """Closes what is open."""
        if self._open is not None:
            container, self._open = self._open[1], None
            container.close()


def read_source(uri: str) -> bytes:
    """The bytes of a source's file.

    Raises:
        StorageError: it does not exist, cannot be read, or is of more than `MOST_BYTES`.
    """
    with storage_errors(uri), open_source(uri) as file:
        # One byte more than allowed tells a larger one, whatever the listing said.
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise StorageError(f"{uri} is of more than {MOST_BYTES} bytes: no picture is")
    return data


def read_text(uri: str) -> str:
    """The text of a source, UTF-8 with or without the mark that spreadsheets begin it with.

    Raises:
        StorageError: as `read_source`, or it is no UTF-8.
    """
    try:
        return read_source(uri).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise StorageError(f"{uri} is no UTF-8 text: save it as UTF-8") from error
