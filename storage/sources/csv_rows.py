"""Rows of a CSV list, as spreadsheets write them: any of four delimiters, UTF-8 or UTF-16, read line by line."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import RawIOBase, TextIOWrapper
from typing import Any, BinaryIO, cast

from mien.storage.errors import ContentError, StorageError
from mien.storage.sources.label_columns import AGAIN, list_columns
from mien.storage.sources.limits import Clock, SourceLimits, limits

_DELIMITERS = ",;\t|"


def csv_rows(uri: str, binary: BinaryIO) -> Iterator[dict[str, str]]:
    """The rows by the names of the header; the header itself, without values, is the first.

    Raises:
        ContentError: it is no CSV file in UTF-8 or UTF-16, has no column `uri`, or is longer than a limit allows.
    """
    mark = binary.read(2)
    binary.seek(0)
    encoding = "utf-16" if mark in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    text = TextIOWrapper(cast("Any", _Bounded(uri, binary)), encoding, newline="")
    try:
        yield from _rows(uri, _lines(uri, text))
    except (UnicodeError, csv.Error) as error:
        raise ContentError(f"{uri} is no CSV file in UTF-8 ({error}): save it as such") from error


def _rows(uri: str, lines: Iterator[str]) -> Iterator[dict[str, str]]:
    first = _written(lines)
    if first.lower().startswith("sep="):  # a spreadsheet's own hint
        first = _written(lines)
    if "\0" in first:
        raise UnicodeError("zeros between the letters, as in UTF-16 without its mark")
    delimiter = _delimiter(first)
    header = _told_apart(next(csv.reader([first], delimiter=delimiter, skipinitialspace=True), []))
    if first.strip() and "uri" not in list_columns(header):
        shown = ", ".join(map(repr, header[:10]))
        raise ContentError(
            f"{uri} has no column uri (it has {shown}): its first line must name uri, and may name identity"
        )
    yield dict.fromkeys(header, "")
    for cells in csv.reader(lines, delimiter=delimiter, skipinitialspace=True):
        if not cells:
            continue
        if len(cells) > len(header) and any(cell.strip() for cell in cells[len(header) :]):
            yield {TOO_MANY: f"{len(cells)} cells where the first line names {len(header)}"}
        else:
            yield dict(zip(header, cells, strict=False))


def _written(lines: Iterator[str]) -> str:
    """The next line with anything in it; nothing where there is none."""
    return next((line for line in lines if line.strip()), "")


def _told_apart(header: list[str]) -> list[str]:
    """The names of the columns; those that come again have a number behind them."""
    names: list[str] = []
    for name in header:
        again = sum(name == known.partition(AGAIN)[0] for known in names)
        names.append(f"{name}{AGAIN}{again + 1})" if again else name)
    return names


TOO_MANY = "\0"
"""The only key of a row that has more cells than the header: what is wrong with it."""


def _delimiter(header: str) -> str:
    """The delimiter by which the first line has a column uri and most columns."""

    def columns(delimiter: str) -> tuple[bool, int]:
        names = next(csv.reader([header], delimiter=delimiter, skipinitialspace=True), [])
        return "uri" in list_columns(names), len(names)

    return max(_DELIMITERS, key=columns)


def _lines(uri: str, text: TextIOWrapper) -> Iterator[str]:
    most, clock = limits().line_chars, Clock()
    while line := text.readline(most):
        clock.check()
        if len(line) == most and not line.endswith("\n"):
            raise ContentError(f"{uri} has a line of more than {most} characters: it is no list")
        yield line


class _Bounded(RawIOBase):
    """A file of which no more is read than a list may have."""

    def __init__(self, uri: str, file: BinaryIO) -> None:
        self._uri, self._file, self._left = uri, file, limits().list_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            variable = SourceLimits.variable("list_bytes")
            raise StorageError(f"{self._uri} is of more than {limits().list_bytes} bytes: split it, or set {variable}")
        buffer[: len(data)] = data
        return len(data)
