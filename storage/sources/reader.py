"""The bytes of pictures, wherever they lie. What holds many of them stays open as long as it is read from."""

from __future__ import annotations

from contextlib import closing
from typing import Protocol

from mien.storage.errors import ContentError
from mien.storage.root import storage_errors
from mien.storage.sources.access import asked_again, open_source
from mien.storage.sources.archives import ArchiveReader
from mien.storage.sources.forward import BLOCK_BYTES
from mien.storage.sources.http import is_http
from mien.storage.sources.http_files import http_stream
from mien.storage.sources.image_columns import ColumnReader
from mien.storage.sources.item import SourceItem
from mien.storage.sources.limits import Clock, limits


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
        """The bytes of an item; of a video's frame, of the whole video. What may pass is tried again.

        Raises:
            ContentError: they are damaged, missing in what should hold them, or more than a photo may have.
            StorageError: the source cannot be read.
        """
        if item.member is None:
            return read_source(item.uri)
        return asked_again(item.uri, lambda: self._read(item))

    def _read(self, item: SourceItem) -> bytes:
        with storage_errors(item.uri):
            try:
                return self._container(item).read(item)
            except BaseException:
                self.close()  # its position in the file is not known any more
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
    """The bytes of a source's file. What may pass is tried again.

    Raises:
        ContentError: it has more bytes than a photo may have, or takes too long.
        StorageError: it does not exist, or cannot be read.
    """
    return asked_again(uri, lambda: _read_all(uri))


def _read_all(uri: str) -> bytes:
    most, clock, parts = limits().photo_bytes, Clock("photo_seconds"), list[bytes]()
    # One byte more than allowed tells a larger one, whatever the listing said.
    left = most + 1
    with storage_errors(uri), closing(http_stream(uri) if is_http(uri) else open_source(uri)) as file:
        while left and (data := file.read(min(left, BLOCK_BYTES))):
            clock.check()
            parts.append(data)
            left -= len(data)
    if not left:
        raise ContentError(f"{uri} is of more than {most} bytes: no picture is")
    return b"".join(parts)


def read_text(uri: str) -> str:
    """The text of a source, UTF-8 with or without the mark that spreadsheets begin it with.

    Raises:
        StorageError: as `read_source`, or it is no UTF-8.
    """
    try:
        return read_source(uri).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ContentError(f"{uri} is no UTF-8 text: save it as UTF-8") from error
