"""What a file is, by the bytes that it begins with. Names count only where the bytes say nothing."""

from __future__ import annotations

import re
import tarfile
from typing import Literal

from mien.storage.sources.forward import PACKED, unpacked_head
from mien.storage.sources.item import (
    ARCHIVE_SUFFIXES,
    IMAGE_SUFFIXES,
    LIST_SUFFIXES,
    PARQUET_SUFFIXES,
    VIDEO_SUFFIXES,
    suffix_of,
)
from mien.storage.sources.label_columns import list_columns

Kind = Literal["image", "video", "archive", "parquet", "list", "document", "text", "empty", "other"]

HEAD_BYTES = 4096
"""Read of a file to know its kind: a packed archive's first header, a list's first line."""

RAW_SUFFIXES = frozenset(
    {".dng", ".nef", ".cr2", ".cr3", ".crw", ".arw", ".orf", ".rw2", ".pef", ".srw", ".raf", ".raw", ".3fr", ".iiq"}
)
"""Cameras' own formats: some are TIFF files of a thumbnail."""

_IMAGES = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF87a",
    b"GIF89a",
    b"II*\0",
    b"MM\0*",
    b"II+\0",
    b"MM\0+",
    b"\0\0\0\x0cjP  \r\n\x87\n",
    b"\xff\x4f\xff\x51",
    b"\xff\x0a",
    b"\0\0\0\x0cJXL \r\n\x87\n",
)
_IMAGE_BRANDS = frozenset(
    {
        b"avif",
        b"avis",
        b"heic",
        b"heix",
        b"hevc",
        b"hevx",
        b"heim",
        b"heis",
        b"hevm",
        b"hevs",
        b"mif1",
        b"msf1",
        b"miaf",
    }
)
_BITMAP_HEADERS = (12, 40, 52, 56, 64, 108, 124)
_VIDEOS = (
    b"\x1a\x45\xdf\xa3",
    b"\0\0\x01\xba",
    b"\0\0\x01\xb3",
    b"FLV\x01",
    b"OggS",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
)
_VIDEO_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
_ZIPS = (b"PK\x03\x04", b"PK\x05\x06")
_DOCUMENT_PARTS = (b"[Content_Types].xml", b"mimetype", b"META-INF/", b"_rels/.rels", b"AndroidManifest.xml")
"""The first member of office documents, books and programs, which are ZIP files."""
_TRANSPORT_PACKET = 188
_BETWEEN = re.compile(r"[,;|\t]")


def kind_of(head: bytes, name: str) -> Kind:
    """What a file is.

    Args:
        head: Its first `HEAD_BYTES` bytes, or all of it.
        name: Its name, for where the bytes do not tell.
    """
    if not head:
        claimed = claimed_kind(name)
        return "empty" if claimed is None else claimed
    known = _by_content(head)
    if known in ("text", "other"):
        return claimed_kind(name) or known
    return known


def claimed_kind(name: str) -> Kind | None:
    """What a file's name says that it is."""
    suffix = suffix_of(name)
    if suffix in IMAGE_SUFFIXES:
        return "image"
    if suffix in VIDEO_SUFFIXES:
        return "video"
    if suffix in ARCHIVE_SUFFIXES:
        return "archive"
    if suffix in LIST_SUFFIXES:
        return "list"
    return "parquet" if suffix in PARQUET_SUFFIXES else None


def _by_content(head: bytes) -> Kind:
    if head.startswith(_IMAGES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return "image"
    if head[4:8] == b"ftyp":
        return "image" if _brands(head) & _IMAGE_BRANDS else "video"
    if _is_bitmap(head) or _is_portable_pixmap(head):
        return "image"
    if head.startswith(_VIDEOS) or head[4:8] in _VIDEO_BOXES or (head[:4] == b"RIFF" and head[8:12] == b"AVI "):
        return "video"
    if head[0] == 0x47 and head[_TRANSPORT_PACKET : _TRANSPORT_PACKET + 1] == b"\x47":
        return "video"
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(_ZIPS):
        return "document" if _is_document(head) else "archive"
    if head[:2] in PACKED:
        return "archive" if is_tar_header(unpacked_head(head, 512)) else "other"
    if is_tar_header(head[:512]):
        return "archive"
    if not _is_text(head):
        return "other"
    return "list" if _names_uris(head) else "text"


def _brands(head: bytes) -> set[bytes]:
    size = min(int.from_bytes(head[:4], "big"), 64)
    return {head[8:12], *(head[at : at + 4] for at in range(16, size, 4))}


def _is_bitmap(head: bytes) -> bool:
    return head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BITMAP_HEADERS


def _is_portable_pixmap(head: bytes) -> bool:
    return head[:1] == b"P" and head[1:2] in b"1234567Ff" and head[2:3] in b" \t\r\n" and len(head) > 3


def _is_document(head: bytes) -> bool:
    length = int.from_bytes(head[26:28], "little")
    return head[30 : 30 + length].startswith(_DOCUMENT_PARTS)


def is_tar_header(block: bytes) -> bool:
    """Whether 512 bytes are the header of a tar archive's member: its checksum says so."""
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _names_uris(head: bytes) -> bool:
    """Whether the first line of a text names a column `uri`, whatever is between the columns."""
    encoding = "utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    lines = head[: len(head) // 2 * 2].decode(encoding, "replace").splitlines()[:2]
    return any("uri" in list_columns(_BETWEEN.split(line)) for line in lines)


def _is_text(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        return True
    if b"\0" in head:
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4  # cut within a character
    return True
