"""What `mien doctor` says of one thing that it has checked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was checked."""

    what: str
    ok: bool
    summary: str
    needed: bool = True
    """Whether nothing goes without it."""

    def line(self) -> str:
        """For a terminal."""
        sign = "ok" if self.ok else "FAIL" if self.needed else "none"
        return f"{sign:<5} {self.what:<12} {self.summary}"
