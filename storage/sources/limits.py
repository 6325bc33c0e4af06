"""What a source may take: each input is read in bounded memory and time, whatever it claims to hold.

The defaults keep the process that lists and each worker below 1 GiB. `MIEN_MAX_…` in the environment sets another
value: worker processes see the same ones.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, fields
from functools import cache

from mien.storage.errors import ContentError, StorageError

MIB = 2**20


@dataclass(frozen=True)
class SourceLimits:
    """Limits of one input, but `pictures`, which is of all inputs of a run together."""

    pictures: int = 1_000_000
    """Listed pictures of a run."""
    table_rows: int = 500_000
    """Rows of a list or of a Parquet file with pictures."""
    members: int = 500_000
    """Members of an archive."""
    list_bytes: int = 256 * MIB
    """Of a CSV list."""
    line_chars: int = 16_384
    """Of a line of a CSV list."""
    uri_chars: int = 4096
    label_chars: int = 256
    """Of an identity, an expression, a licence or a consent."""
    label_bytes: int = MIB
    """Of a JSON file with labels in an archive."""
    list_values: int = 1_000_000
    """Values beyond one a row in a column of lists."""
    page_bytes: int = 256 * MIB
    """Of a page of a Parquet file, unpacked: the least that can be read of it at once."""
    footer_bytes: int = 32 * MIB
    """Of a Parquet file's or a ZIP archive's table of contents."""
    photo_bytes: int = 256 * MIB
    copied_bytes: int = 64 * 1024 * MIB
    """Of a remote file that is copied to this machine while it is read: videos, tables without access to parts."""
    unpacker_bytes: int = 128 * MIB
    """Memory that a packed archive may ask for to be unpacked."""
    seconds: int = 600
    """For a list or table; for an archive, from one member to the next."""
    photo_seconds: int = 120
    """For the bytes of one photo."""

    @classmethod
    def variable(cls, name: str) -> str:
        """The environment variable that sets a limit."""
        return f"MIEN_MAX_{name.upper()}"

    @classmethod
    def from_environment(cls) -> SourceLimits:
        """The defaults, but for what `MIEN_MAX_…` sets.

        Raises:
            StorageError: a variable is no whole number above 0.
        """
        given = {f.name: os.environ[cls.variable(f.name)] for f in fields(cls) if cls.variable(f.name) in os.environ}
        for name, text in given.items():
            if not text.isdecimal() or int(text) < 1:
                raise StorageError(f"{cls.variable(name)} is {text!r}: give a whole number above 0")
        return cls(**{name: int(text) for name, text in given.items()})

    def advice(self, name: str) -> str:
        """How a limit is raised."""
        return f"split it, or set {self.variable(name)} above {getattr(self, name)}"


@cache
def limits() -> SourceLimits:
    """The limits of this process."""
    return SourceLimits.from_environment()


class Clock:
    """Counts the seconds that an input may take."""

    def __init__(self, name: str = "seconds") -> None:
        self._name = name
        self._limit_s: int = getattr(limits(), name)
        self.restart()

    def restart(self) -> None:
        """Begins to count anew."""
        self._end_s = time.monotonic() + self._limit_s

    def check(self) -> None:
        """Raises ContentError where the time is over."""
        if time.monotonic() > self._end_s:
            variable = SourceLimits.variable(self._name)
            raise ContentError(f"it takes more than {self._limit_s} s to read: set {variable} for more")
