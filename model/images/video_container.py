"""What a video file says before it is decoded: whether it is one, and how its frames are to be turned."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

import numpy as np

from mien.model.errors import ImageError

_HEAD_BYTES: Final = 1024
_MAGIC: Final = (
    b"\x1a\x45\xdf\xa3",  # Matroska, WebM
    b"\0\0\x01\xba",  # MPEG program stream
    b"\0\0\x01\xb3",  # MPEG video
    b"FLV\x01",
    b"OggS",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # ASF, WMV
)
_BOXES: Final = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
_PLAYLISTS: Final = (b"#EXTM3U", b"ffconcat", b"<?xml", b"<MPD", b"<smil", b"[playlist]")
"""What FFmpeg would follow to other files and hosts, whatever the file's name."""
_MAX_MOOV_BYTES: Final = 64 * 2**20
_MAX_BOXES: Final = 100_000

Turn = tuple[int, int, int, int]
"""(a, b, c, d) of a display matrix, each -1, 0 or 1: a pixel (x, y) is shown at (a·x + c·y, b·x + d·y)."""
UPRIGHT: Final[Turn] = (1, 0, 0, 1)


def check_container(file: BinaryIO) -> None:
    """Looks at the beginning of a file, since FFmpeg also opens what leads it elsewhere.

    Raises:
        ImageError: it is none of the containers that are read.
    """
    head = file.read(_HEAD_BYTES)
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(_PLAYLISTS):
        raise ImageError("a playlist, not a video: it names files elsewhere")
    packets = (head[at : at + 1] == b"\x47" == head[at + size : at + size + 1] for at, size in ((0, 188), (4, 192)))
    is_avi = head[:4] == b"RIFF" and head[8:12] == b"AVI "
    if not (head.startswith(_MAGIC) or head[4:8] in _BOXES or is_avi or any(packets)):
        raise ImageError("not a video that can be read")


def display_turn(file: BinaryIO) -> Turn | None:
    """How an MP4 or QuickTime file says that frames are to be turned or mirrored; None for others, or other angles."""
    moov = _moov(file)
    for track in () if moov is None else _inner(moov, b"trak"):
        media = next(_inner(track, b"mdia"), b"")
        header = next(_inner(track, b"tkhd"), b"")
        if next(_inner(media, b"hdlr"), b"")[8:12] == b"vide" and header:
            at = 52 if header[0] == 1 else 40
            matrix = np.frombuffer(header[at : at + 36].ljust(36, b"\0"), ">i4")
            return _as_turn(matrix[[0, 1, 3, 4]])
    return None


def is_cut_off(file: BinaryIO) -> bool:
    """Whether an MP4 or QuickTime file ends before its table of tracks, without which nothing in it is found."""
    file.seek(0)
    return file.read(8)[4:8] in _BOXES and _moov(file) is None


def _as_turn(entries: np.ndarray) -> Turn | None:
    a, b, c, d = (int(sign) for sign in np.sign(np.where(np.abs(entries) * 100 < np.abs(entries).max(), 0, entries)))
    straight, crossed = bool(a and d and not b and not c), bool(b and c and not a and not d)
    return (a, b, c, d) if straight or crossed else None


def turned(frame: np.ndarray, turn: Turn) -> np.ndarray:
    """A frame as it is to be shown."""
    a, b, c, d = turn
    if a:
        return frame[:: 1 if d > 0 else -1, :: 1 if a > 0 else -1]
    return frame.transpose(1, 0, 2)[:: 1 if b > 0 else -1, :: 1 if c > 0 else -1]


def _moov(file: BinaryIO) -> bytes | None:
    """The box with the tracks of an MP4 or QuickTime file."""
    end = file.seek(0, 2)
    at = 0
    for _ in range(_MAX_BOXES):
        file.seek(at)
        header = file.read(16)
        size, kind = int.from_bytes(header[:4], "big"), header[4:8]
        size = int.from_bytes(header[8:16], "big") if size == 1 else size or end - at
        if kind == b"moov" and 8 <= size <= _MAX_MOOV_BYTES:
            file.seek(at + 8)
            return file.read(size - 8)
        if size < 8 or at + size >= end or not kind.isalnum():
            return None
        at += size
    return None


def _inner(box: bytes, name: bytes) -> Iterator[bytes]:
    """The contents of the boxes of this name that lie directly in another one."""
    at = 0
    while at + 8 <= len(box):
        size = int.from_bytes(box[at : at + 4], "big")
        if size < 8:
            return
        if box[at + 4 : at + 8] == name:
            yield box[at + 8 : at + size]
        at += size
