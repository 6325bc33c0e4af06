"""Labels that the name of a file tells."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Literal, get_args

from mien.storage.errors import StorageError
from mien.storage.schemas import Status
from mien.storage.sources.item import as_text, is_video

IdentityFrom = Literal["source", "image", "cluster"]

_NAMES = ("identity", "expression")
_TOKEN = re.compile(r"\{(\w*)\}|(\*\*/?)|(\*)|(\?)")


@dataclass(frozen=True)
class Labels:
    """What is known of a picture before it is read."""

    identity: str | None = None
    expression: str | None = None
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

    def of(self, path: str, folder: str | None) -> Labels:
        """Labels of a file.

        Args:
            path: Its path below what the user named, with `/`.
            folder: The folder that stands for the identity where there is no pattern.
        """
        found = Labels(folder) if self._regex is None else self._matched(path)
        if found.status != "ok":
            return found
        if self.identity == "cluster":
            return Labels(None, found.expression)
        if self.identity == "image":
            # Frames of one video show one person; of photos nothing is known, and an empty identity says so.
            own = as_text(str(PurePosixPath(path).with_suffix(""))) if is_video(path) else None
            return Labels(own, found.expression)
        return found

    def _matched(self, path: str) -> Labels:
        assert self._regex is not None
        match = self._regex.fullmatch(path)
        if match is None:
            return Labels(status="rejected", reason=f"its path does not fit the pattern {self.pattern}")
        found = {name: as_text(text) for name, text in match.groupdict().items() if text is not None}
        return Labels(found.get("identity"), found.get("expression"))


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """A regular expression for whole paths that end as the pattern says.

    `{identity}` and `{expression}` stand for a part of a name, `*` for any part of a name, `?` for one character, `**`
    for any folders. A label that is written twice must be the same in both places.

    Raises:
        StorageError: there is no label in it, or an unknown one.
    """
    out, last, seen = [], 0, set[str]()
    for token in _TOKEN.finditer(pattern):
        out.append(re.escape(pattern[last : token.start()]))
        last = token.end()
        name, folders, part, _ = token.groups()
        if name is not None and name not in _NAMES:
            raise StorageError(f"the pattern {pattern!r} has {{{name}}}: it knows {{identity}} and {{expression}}")
        if name is not None:
            out.append(f"(?P={name})" if name in seen else f"(?P<{name}>[^/]+?)")
            seen.add(name)
        else:
            out.append(r"(?:.*/)?" if folders == "**/" else ".*" if folders else "[^/]*" if part else "[^/]")
    if not seen:
        raise StorageError(f"the pattern {pattern!r} names no label: write {{identity}} where the person's name stands")
    out.append(re.escape(pattern[last:]))
    return re.compile(f"(?:.*?/)??{''.join(out).removeprefix('/')}", re.DOTALL)
