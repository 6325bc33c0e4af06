"""What a source finds: pictures by where they lie, not yet read."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any, Literal

from mien.storage.errors import ErrorKind
from mien.storage.schemas import Status

IMAGE_SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".pgm", ".ppm"),
        *(".pbm", ".pnm", ".avif", ".heic", ".heif", ".hif", ".jp2", ".j2k", ".jxl"),
    }
)
VIDEO_SUFFIXES = frozenset(
    {
        *(".mp4", ".m4v", ".mov", ".qt", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".ogv"),
        *(".mts", ".m2ts"),  # not .ts, which is a program's source far more often
    }
)
ARCHIVE_SUFFIXES = frozenset({".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst", ".zip"})
LIST_SUFFIXES = frozenset({".csv", ".tsv"})
PARQUET_SUFFIXES = frozenset({".parquet"})


@dataclass(frozen=True, slots=True)
class SourceItem:
    """A picture that was found, not yet read. All fields but `kind` are columns of `images`; `SourceReader` gets the
    bytes.

    `offset_bytes` and `length_bytes` say where in an archive it lies, `row` where in a Parquet file, `frame` where in a
    video. They are found when the source is listed, so that any process gets to one picture without the others.
    """

    uri: str
    """Of the file, without secrets: absolute path, fsspec URL, `sample:…`, or `bytes:…` (a path that is no text)."""
    identity: str | None
    """Who is shown; null where nothing tells."""
    expression: str | None
    """Label of the expression; null where nothing tells."""
    version: str
    """`{size}-{time or ETag}` of the file: another one means that it may have changed."""
    member: str | None = None
    """What the file calls the picture: the name of an archive's member, the column of a Parquet file."""
    offset_bytes: int | None = None
    length_bytes: int | None = None
    row: int | None = None
    """Of a Parquet file with pictures (then `member` is its column), or of the list that names the picture."""
    frame: int | None = None
    """Index of a video's frame. A video whose frames are not chosen yet has none."""
    licence: str | None = None
    """Terms of the picture, as a list or an archive gives them."""
    consent: str | None = None
    """What the person agreed to, as a list or an archive gives it."""
    status: Status = "ok"
    """Anything but `ok`: the listing alone tells that it cannot be used, and it is never read."""
    reason: str | None = None
    failure: ErrorKind | None = None
    """Of a failed one: `source` where the next listing may tell otherwise."""
    kind: Literal["image", "video"] | None = field(default=None, compare=False)
    """What the bytes say that the file is; null where only its name is known."""

    @property
    def key(self) -> tuple[Any, ...]:
        """Tells items apart: all columns but the outcome, in the order of `KEY_COLUMNS`."""
        return _key_of(self)

    @property
    def is_video(self) -> bool:
        """Whether this is a video whose frames are still to be chosen."""
        video = is_video(self.uri) if self.kind is None else self.kind == "video"
        return self.status == "ok" and self.frame is None and self.member is None and video


COLUMNS = tuple(field.name for field in fields(SourceItem) if field.name != "kind")
KEY_COLUMNS = tuple(name for name in COLUMNS if name not in ("status", "reason", "failure"))
_key_of = attrgetter(*KEY_COLUMNS)


def image_name(uri: str, member: str | None = None, row: int | None = None, frame: int | None = None) -> str:
    """How a user writes one picture: its file's URI, then `#` and what tells it apart in the file."""
    inside = row if member is not None else None  # of a list, the row is not part of the picture's name
    part = next((str(each) for each in (frame, inside, member) if each is not None), None)
    return uri if part is None else f"{uri}#{part}"


def suffix_of(path: str) -> str:
    """The last suffix in small letters; `.tar.gz` and its like are one. (Plain text work: it is done for each file.)"""
    name = (path.partition("?")[0] if "://" in path else path).rpartition("/")[2].lower()
    stem, dot, suffix = name.rpartition(".")
    if not stem:
        return ""
    if stem.endswith(".tar") and f".tar.{suffix}" in ARCHIVE_SUFFIXES:
        return f".tar.{suffix}"
    return dot + suffix


def is_image(path: str) -> bool:
    """By its suffix."""
    return suffix_of(path) in IMAGE_SUFFIXES


def is_video(path: str) -> bool:
    """By its suffix."""
    return suffix_of(path) in VIDEO_SUFFIXES


def as_text(name: str) -> str:
    """A file's name as it can be stored: bytes that are no UTF-8 become \\xNN."""
    if name.isascii():
        return name
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


HIDDEN = "hidden, or left by the system"
"""Why a file is left out."""


def is_hidden(name: str) -> bool:
    """Whether people mean a file of this name, or their system put it there."""
    return name.startswith(".") or name.lower() in ("thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "icon\r")
