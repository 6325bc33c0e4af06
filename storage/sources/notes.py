"""What a listing did not understand or left out, each in one line that says what to do."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mien.storage.secrets import scrubbed
from mien.storage.sources.item import SourceItem, suffix_of
from mien.storage.sources.kinds import Kind

NoteKind = Literal["left out", "columns", "labels"]

_MAX_SHOWN = 5
_PLACEHOLDERS = frozenset(
    {
        "nan",
        "none",
        "null",
        "nil",
        "n/a",
        "na",
        "#n/a",
        "<na>",
        "nat",
        "undefined",
        "unknown",
        "-",
        "--",
        "?",
        ".",
        "0.0",
    }
)
"""In small letters. A person may be called Nan: the run says so, and changes nothing."""
_NOBODY = frozenset(
    {
        *("train", "training", "test", "testing", "val", "valid", "validation", "dev", "eval", "holdout"),
        *(
            "images",
            "image",
            "imgs",
            "img",
            "photos",
            "pictures",
            "pics",
            "faces",
            "frames",
            "videos",
            "data",
            "dataset",
        ),
        *("raw", "original", "originals", "cropped", "aligned", "jpg", "jpeg", "png", "dcim", "camera", "downloads"),
    }
)
"""Names of folders, in small letters, that people's folders lie in."""
_MANY_PHOTOS = 3
"""From this number on it is worth a line that all are of one person."""


@dataclass(frozen=True)
class Note:
    """One line on what came in."""

    kind: NoteKind
    text: str


@dataclass
class Notebook:
    """Collects notes while sources are listed."""

    left_out: Counter[str] = field(default_factory=Counter)
    """Files and members that became no row, by reason."""
    columns: dict[str, None] = field(default_factory=dict)
    folders: dict[str, tuple[dict[str, None], dict[str, None]]] = field(default_factory=dict)
    """By what was named: folders that stand for people, of photos directly in it and of photos in folders below it."""

    def leave_out(self, reason: str, count: int = 1) -> None:
        """Counts files that get no row."""
        self.left_out[reason] += count

    def saw_folder(self, spec: str, folder: str, inside: bool) -> None:
        """Notes the folder that stands for the person of a photo; `inside` if it lies below what was named."""
        own, below = self.folders.setdefault(spec, ({}, {}))
        (below if inside else own)[folder] = None

    def unread_columns(self, where: str, names: Sequence[str]) -> None:
        """Notes columns that look like labels."""
        if names:
            shown = ", ".join(map(repr, names[:_MAX_SHOWN])) + (", …" if len(names) > _MAX_SHOWN else "")
            what = "columns look like labels and are" if len(names) > 1 else "column looks like a label and is"
            self.columns[
                f"{where}: the {what} not read: {shown}; call what is one identity, expression, licence or consent"
            ] = None

    def notes(self, items: Sequence[SourceItem], by_source: bool) -> tuple[Note, ...]:
        """All notes.

        Args:
            items: What was listed.
            by_source: Whether identities are those of the sources.
        """
        out = [Note("left out", f"{count} left out: {why}") for why, count in sorted(self.left_out.items())]
        out += [Note("columns", text) for text in list(self.columns)[:_MAX_SHOWN]]
        if len(self.columns) > _MAX_SHOWN:
            out.append(Note("columns", f"{len(self.columns) - _MAX_SHOWN} more lists have columns that are not read"))
        if by_source:
            out += [Note("labels", text) for text in list(self._mixed_folders())[:_MAX_SHOWN]]
        out += [Note("labels", text) for text in _label_lines(items, by_source)]
        return tuple(Note(note.kind, scrubbed(note.text)) for note in out)

    def _mixed_folders(self) -> Iterable[str]:
        """Folders that may be a person's, with folders of their own, or one of people, with photos beside them."""
        for spec, (own, below) in self.folders.items():
            if own and below:
                inner = ", ".join(map(repr, list(below)[:_MAX_SHOWN])) + (", …" if len(below) > _MAX_SHOWN else "")
                yield (
                    f"{spec}: photos directly in it are of {next(iter(own))!r}, those in folders below it of {inner}: "
                    "if it is one person's, name the folder above it, or say where names stand with --pattern"
                )


def no_picture(name: str) -> str:
    """The reason for a file that is none, by its suffix, so that many count as one."""
    suffix = suffix_of(name)
    shown = suffix if (suffix and len(suffix) <= 10 and suffix[1:].isalnum()) or suffix.startswith(".tar") else ""
    return f"no picture ({shown or 'no suffix'})"


def left_out(kind: Kind, name: str) -> str | None:
    """Why a file in a folder becomes no row; None where it becomes one."""
    if kind in ("image", "video", "archive"):
        return None
    if kind in ("parquet", "list"):
        return f"a list or table in a folder ({suffix_of(name) or 'no suffix'}): name it itself"
    return no_picture(name)


def _label_lines(items: Sequence[SourceItem], by_source: bool) -> Iterable[str]:
    usable = [item for item in items if item.status == "ok"]
    expressions = sum(item.expression is not None for item in usable)
    if by_source:
        people = Counter(item.identity for item in usable)
        yield from _identity_lines(people, len(usable))
    if 0 < expressions < len(usable):
        yield f"{len(usable) - expressions} of {len(usable)} pictures have no expression: label them, or none is known"


def _identity_lines(people: Counter[str | None], total: int) -> Iterable[str]:
    unknown = people.pop(None, 0)
    if unknown and people:
        yield f"{unknown} of {total} pictures have no identity: label them, or they help no training"
    elif unknown:
        yield (
            "no picture has an identity: put each person's photos into a folder, label them, or use --identity image "
            "or --identity cluster"
        )
    if len(people) == 1 and not unknown and total >= _MANY_PHOTOS:
        name = next(iter(people))
        yield f"all {total} pictures are of one person, {name!r}: if not, say where names stand with --pattern"
    named = Counter({name: count for name, count in people.items() if name is not None})
    if placeholders := sorted(name for name in named if name.casefold() in _PLACEHOLDERS):
        shown = ", ".join(f"{name!r} ({named[name]})" for name in placeholders[:_MAX_SHOWN])
        yield f"identities that programs write where there is none: {shown}; they are taken for names: empty such cells"
    if len(named) > 1 and {name.casefold() for name in named} <= _NOBODY:
        shown = ", ".join(map(repr, sorted(named)[:_MAX_SHOWN]))
        yield f"{shown} are no names of people: name the folders inside, or say where names stand with --pattern"
    yield from _alike(named)
    yield from _alike_but_for_blanks(named)


def _alike_but_for_blanks(people: Counter[str]) -> Iterable[str]:
    """Names that differ by blanks or by another form of the same letters, and not only by case."""
    spellings: dict[str, list[str]] = defaultdict(list)
    for name in sorted(people):
        spellings[" ".join(unicodedata.normalize("NFKC", name).casefold().split())].append(name)
    alike = [names for names in spellings.values() if len({name.casefold() for name in names}) > 1]
    for names in alike[:_MAX_SHOWN]:
        shown = " and ".join(f"{name!r} ({people[name]})" for name in names[:_MAX_SHOWN])
        yield f"{shown} differ by blanks or forms of letters only and are different people: rename one if they are not"
    if len(alike) > _MAX_SHOWN:
        yield f"{len(alike) - _MAX_SHOWN} more names differ by blanks or forms of letters only"


def _alike(people: Counter[str]) -> Iterable[str]:
    """Names that differ by upper and lower case only."""
    spellings: dict[str, list[str]] = defaultdict(list)
    for name in sorted(people):
        spellings[name.casefold()].append(name)
    alike = [names for names in spellings.values() if len(names) > 1]
    for names in alike[:_MAX_SHOWN]:
        shown = " and ".join(f"{name!r} ({people[name]})" for name in names)
        yield f"{shown} differ by upper and lower case only and are different people: rename one if they are not"
    if len(alike) > _MAX_SHOWN:
        yield f"{len(alike) - _MAX_SHOWN} more names differ by upper and lower case only"
