"""Which folder of a path inside an archive or a table stands for the person.

Such paths often begin with folders that all of them share, or at the root of somebody's disk: these are nobody's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile

_DRIVE = re.compile(r"[A-Za-z]:$")


def folders_of(path: str) -> tuple[str, ...]:
    """The folders of a path inside something, without drives, `.` and `..`."""
    slashed = path if "/" in path else path.replace("\\", "/")
    parts = [part for part in slashed.split("/")[:-1] if part not in ("", ".", "..")]
    return tuple(parts[1:] if parts and _DRIVE.match(parts[0]) else parts)


@dataclass(frozen=True)
class TopFolders:
    """The folders that all paths share."""

    shared: tuple[str, ...] = ()
    is_person: bool = False
    """Whether the last of them is a person's: most pictures lie directly in it."""

    @classmethod
    def of(cls, paths: Iterable[str]) -> TopFolders:
        """Of the paths of all pictures of a source; those without a folder do not count."""
        first = last = None
        counts: dict[tuple[str, ...], int] = {}
        for path in paths:
            if folders := folders_of(path):
                counts[folders] = counts.get(folders, 0) + 1
                first = folders if first is None else min(first, folders)
                last = folders if last is None else max(last, folders)
        if first is None or last is None:
            return cls()
        # Of the sorted ones the outermost differ most.
        shared = tuple(
            folder for folder, _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
        )
        return cls(shared, bool(shared) and 2 * counts.get(shared, 0) >= sum(counts.values()))

    def person(self, path: str) -> str | None:
        """The folder of a path that stands for the identity: the first one below the shared ones."""
        folders = folders_of(path)
        top = len(self.shared) - self.is_person
        if len(folders) > top:
            return folders[top]
        return folders[-1] if folders else None
