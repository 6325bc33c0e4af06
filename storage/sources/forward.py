"""Files that can only be read forward, as files: streams of web servers, packed archives."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from mien.storage.errors import TransientError
from mien.storage.retries import retried
from mien.storage.sources.limits import limits

T = TypeVar("T")

BLOCK_BYTES = 2**20


class Stream(Protocol):
    """What is read forward."""

    def read(self, size: int, /) -> bytes: ...

    def close(self) -> None: ...


class ForwardFile:
    """A stream as a file: going forward reads and forgets, going back opens it again.

    Args:
        opened: Opens the stream at so many bytes from its beginning.
        whom: Who is asked; a stream that breaks off is opened again where it was. Empty: it does not break off by
            itself.
    """

    def __init__(self, opened: Callable[[int], Stream], whom: str = "") -> None:
        self._opened, self._whom = opened, whom
        self._stream: Stream | None = self._tried(lambda: opened(0))
        self._at = 0

    def tell(self) -> int:
        """Bytes from the beginning."""
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        """Only from the beginning or from where it is; past the end stays at the end."""
        target = offset + (self._at if whence == 1 else 0)
        if whence == 2:
            raise OSError("the length of a stream is not known")
        if target < self._at:
            self.close()
            self._at = 0
        while self._at < target and self.read(min(BLOCK_BYTES, target - self._at)):
            pass
        return self._at

    def read(self, size: int = -1) -> bytes:
        """So many bytes, fewer at the end only."""
        parts, left = list[bytes](), size
        while left and (part := self._part(left if left > 0 else BLOCK_BYTES)):
            parts.append(part)
            left = left - len(part) if size > 0 else left
        return b"".join(parts)

    def _part(self, size: int) -> bytes:
        data = self._tried(lambda: self._next(size))
        self._at += len(data)
        return data

    def _tried(self, ask: Callable[[], T]) -> T:
        return retried(ask, self._whom) if self._whom else ask()

    def _next(self, size: int) -> bytes:
        if self._stream is None:
            self._stream = self._opened(self._at)
        try:
            return self._stream.read(size)
        except TransientError:
            self.close()
            raise

    def seekable(self) -> bool:
        """As files are asked."""
        return True

    def close(self) -> None:
        """Ends the stream."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def __enter__(self) -> ForwardFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Unpacked:
    """The content of a gzip, bzip2 or xz file from its beginning, unpacked in bounded memory.

    Raises:
        OSError, EOFError, zlib.error, lzma.LZMAError: the file is damaged or cut off.
    """

    def __init__(self, file: Any, magic: bytes) -> None:
        file.seek(0)
        self._file, self._start = file, _UNPACKERS[magic]
        self._unpacker: Any = self._start()
        self._packed = b""

    def read(self, size: int) -> bytes:
        """At most so many bytes; none at the end."""
        while True:
            if self._unpacker.eof:
                self._packed = self._unpacker.unused_data
                self._packed = self._packed or self._file.read(BLOCK_BYTES // 16)
                if not self._packed.strip(b"\0"):
                    return b""
                self._unpacker = self._start()  # one packed file may follow another
            if not self._packed and self._unpacker.needs_input:
                self._packed = self._file.read(BLOCK_BYTES // 16)
                if not self._packed:
                    raise EOFError("the packed file is cut off")
            packed, self._packed = self._packed, b""
            if data := self._unpacker.decompress(packed, size):
                return data

    def close(self) -> None:
        """The file stays open."""


class _Gzip:
    """zlib's unpacker with the interface of the other two."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(31)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail

    def decompress(self, data: bytes, size: int) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, size)


def _xz() -> lzma.LZMADecompressor:
    # Its header says how much memory is needed: up to 4 GiB.
    return lzma.LZMADecompressor(memlimit=limits().unpacker_bytes)


_UNPACKERS: dict[bytes, Callable[[], Any]] = {b"\x1f\x8b": _Gzip, b"BZ": bz2.BZ2Decompressor, b"\xfd7": _xz}
PACKED = frozenset(_UNPACKERS)
"""The first two bytes of packed files."""


def unpacked_file(file: Any, magic: bytes) -> ForwardFile:
    """A packed file, of these first two bytes, as the file that it holds."""

    def opened(start: int) -> Stream:
        stream, left = Unpacked(file, magic), start
        while left and (data := stream.read(min(left, BLOCK_BYTES))):
            left -= len(data)
        return stream

    return ForwardFile(opened)


def unpacked_head(data: bytes, size: int) -> bytes:
    """The beginning of what a packed file holds, from the file's own beginning; none where it is damaged."""
    try:
        return _UNPACKERS[data[:2]]().decompress(data, size)
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError):
        return b""
