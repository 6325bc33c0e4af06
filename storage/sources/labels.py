"""Labels: what a source says of a picture, as one kind of text whatever it was written in.

Everything that becomes a label goes through `label_text`: columns of CSV and Parquet, JSON beside an archive's members,
names of folders, parts of a path. So one person has one spelling.
"""

from __future__ import annotations

import math
import re
import struct
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal, get_args

from mien.storage.errors import StorageError
from mien.storage.schemas import Status
from mien.storage.sources.item import as_text
from mien.storage.sources.limits import SourceLimits, limits
from mien.storage.sources.patterns import compile_pattern

IdentityFrom = Literal["source", "image", "cluster"]

LABELS = ("identity", "expression", "licence", "consent")
_SPELLINGS = {"license": "licence"}
_MANY_TIMES = 8
_BLANK = "".join(
    [
        " \t\r\n\v\f\0\x1c\x1d\x1e\x1f\x85\u00a0\u1680\u2028\u2029\u202f\u205f\u3000",
        *map(chr, range(0x2000, 0x200B)),
        # Not seen: joiners, marks of direction (copied from file dialogs), soft hyphen, byte order mark.
        "\u00ad\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff",
        *map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))),
    ]
)
"""What is no part of a name at its ends."""


@dataclass(frozen=True)
class Labels:
    """What is known of a picture before it is read."""

    identity: str | None = None
    expression: str | None = None
    licence: str | None = None
    consent: str | None = None
    status: Status = "ok"
    reason: str | None = None


@dataclass(frozen=True)
class LabelRule:
    """Where identities and expressions come from."""

    pattern: str | None = None
    """Such as `{identity}/{expression}_*.jpg`, held against the end of each path; null: folders are identities."""
    identity: IdentityFrom = "source"
    """`source`: as labelled. `image`: nobody knows; each picture, and each video, is a person of its own. `cluster`:
    nobody knows; faces will tell, whatever the source says."""

    def check(self) -> None:
        """Raises StorageError where the pattern or the kind of identity is none."""
        if self.identity not in get_args(IdentityFrom):
            raise StorageError(f"identities come from {', '.join(get_args(IdentityFrom))}, not {self.identity!r}")
        _ = self._regex

    @cached_property
    def _regex(self) -> re.Pattern[str] | None:
        return None if self.pattern is None else compile_pattern(self.pattern)

    def of(
        self, path: str, folder: str | None, given: Mapping[str, str] | None = None, video: str | None = None
    ) -> Labels:
        """Labels of a picture.

        Args:
            path: Its path below what the user named, with `/`.
            folder: The folder that stands for the identity where there is no pattern.
            given: Labels that the source gives besides; they go before path and folder.
            video: The URI, if it is a video: its frames show one person, whatever other file has its name.
        """
        given = given or {}
        found = {"identity": folder and label_text(folder)} if self._regex is None else self._matched(path)
        if found is None and "identity" not in given:
            return Labels(status="rejected", reason=f"its path does not fit the pattern {self.pattern}")
        labels = {**(found or {}), **given}
        if too_long := _too_long(labels):
            return Labels(status="rejected", reason=too_long)
        if self.identity != "source":
            # Of photos nothing is known with `image`, and an empty identity says so.
            labels["identity"] = video if self.identity == "image" else None
        return Labels(labels.get("identity"), labels.get("expression"), labels.get("licence"), labels.get("consent"))

    def _matched(self, path: str) -> dict[str, str | None] | None:
        assert self._regex is not None
        match = self._regex.fullmatch(path)
        return None if match is None else {name: label_text(text) for name, text in match.groupdict().items()}


def _too_long(labels: Mapping[str, str | None]) -> str | None:
    """Why a label cannot be used, and is left out of `labels`."""
    most = limits().label_chars
    for name, text in labels.items():
        if text is not None and len(text) > most:
            variable = SourceLimits.variable("label_chars")
            return f"its {name} is of more than {most} characters: shorten it, or set {variable}"
    return None


def label_name(column: str) -> str:
    """A column's name as labels are called: without outer blanks, in small letters."""
    name = column.strip(_BLANK).lower()
    return _SPELLINGS.get(name, name)


def labels_of_row(row: Mapping[Any, Any]) -> dict[str, str]:
    """The labels among the fields of a row or of a JSON object, also one level deeper; empty ones are left out.

    A field of the row itself goes before one inside another field, and an exact name before one in other letters.
    """
    found: dict[str, str] = {}
    inner = [value for value in row.values() if isinstance(value, Mapping)]
    for fields in (row, *inner):
        for column in sorted(map(str, fields), key=lambda name: name not in LABELS):
            name = label_name(column)
            if name in LABELS and name not in found and (text := label_text(fields.get(column))) is not None:
                found[name] = text
    return found


def label_text(value: Any) -> str | None:
    """A value as a label: composed Unicode (NFC) without outer blanks; None where there is nothing.

    Whole numbers are written without a point (`7`, also for 7.0, as a column with gaps has it); not-a-number is
    nothing; a list of one value is that value, a longer one is nothing.
    """
    text = _plain(value)
    if text is None:
        return None
    text = text[: _MANY_TIMES * limits().label_chars]  # what is longer is refused, and not kept
    if not text.isascii():
        text = unicodedata.normalize("NFC", as_text(text))
    return text.strip(_BLANK) or None


def _plain(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, Mapping):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return None if math.isnan(value) else _number(value)
    if isinstance(value, Decimal):
        return None if value.is_nan() else format(value.normalize(), "f")
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Sequence):
        return _plain(value[0]) if len(value) == 1 else None
    return str(value)


def _number(value: float) -> str:
    if value.is_integer():
        return str(int(value))
    # Of 32 bits, which come as 64, the digits that 32 bits have.
    short = struct.unpack("f", struct.pack("f", value))[0] if abs(value) < 1e38 else None
    return f"{value:.7g}" if short == value else repr(value)
