"""Files of web servers: what is known of one, the whole of it forward, and parts of it."""

from __future__ import annotations

from typing import Any

from mien.storage.errors import ContentError, StorageError
from mien.storage.sources.http import Answer, HttpError, ask, asked

_NO_HEAD = frozenset({400, 403, 405, 501})
"""What servers say that do not answer HEAD, or that sign GET alone."""


def http_info(uri: str) -> dict[str, Any]:
    """Size, marks of change, and whether parts can be asked for (`partial`), in fsspec's words.

    Raises:
        StorageError: as `asked`.
    """
    try:
        with asked(uri, "HEAD") as answer:
            return _info(uri, answer, answer.header("Content-Length"))
    except HttpError as error:
        if error.status not in _NO_HEAD:
            raise
    with asked(uri, headers={"Range": "bytes=0-0"}) as answer:
        whole = (answer.header("Content-Range") or "").rpartition("/")[2]
        answer.read(1)
        partial = answer.response.status == 206
        return {**_info(uri, answer, whole if partial else answer.header("Content-Length")), "partial": partial}


def _info(uri: str, answer: Answer, size: str | None) -> dict[str, Any]:
    known = size is not None and size.isdecimal()
    return {
        "name": uri,
        "type": "file",
        "size": int(size) if size is not None and known else None,
        "partial": (answer.header("Accept-Ranges") or "").strip().lower() == "bytes" and known,
        "ETag": answer.header("ETag"),
        "Last-Modified": answer.header("Last-Modified"),
    }


def http_stream(uri: str, start: int = 0) -> Answer:
    """A file to read forward.

    Args:
        uri: Which file.
        start: Bytes to leave out at the beginning; where the server gives no parts, they are read and thrown away.
    """
    answer = ask(uri, headers={"Range": f"bytes={start}-"} if start else None)
    try:
        _refuse_encoded(uri, answer)
        left = start if answer.response.status != 206 else 0
        while left and (data := answer.read(min(left, 2**20))):
            left -= len(data)
    except BaseException:
        answer.connection.close()
        raise
    return answer


def http_part(uri: str, start: int, end: int) -> bytes:
    """The bytes from `start` up to `end`, of a server that gives parts."""
    with asked(uri, headers={"Range": f"bytes={start}-{end - 1}"}) as answer:
        if answer.response.status != 206:
            raise StorageError(f"{uri} does not give the part that was asked for: copy the file to this machine")
        _refuse_encoded(uri, answer)
        parts, left = list[bytes](), end - start
        while left and (data := answer.read(left)):
            parts.append(data)
            left -= len(data)
        return b"".join(parts)


def _refuse_encoded(uri: str, answer: Answer) -> None:
    if (answer.header("Content-Encoding") or "identity").lower() not in ("identity", ""):
        raise ContentError(f"{uri} comes packed ({answer.header('Content-Encoding')}), though that was not asked for")
