"""Photos whose bytes changed though the listing says that they did not: the same size and time, or no mark at all.

A run knows a photo by what its listing says of it, and reads no photo twice. With `--verify-bytes` each photo that is
known is read and hashed again. One with other bytes gets a mark, which is kept in `rehashed/` and is part of its
version in this run and in all later ones: so it is a new photo, and its former rows stay with its former version.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from mien.storage import Root, SourceItem, fingerprint
from mien.storage.artefacts import REHASHED, json_artefact, keep, load
from mien.tasks.prepare.index import IndexSettings, Photos, known_rows
from mien.tasks.runtime.workers import in_worker, tick, work_progress
from mien.tasks.sets.photo_reader import PictureReader

_AT_ONCE = 32
_MARK_DIGITS = 16

_MARK = json_artefact(REHASHED, dict[str, str])


@dataclass
class Compared:
    """What reading known photos again has shown."""

    same: int = 0
    unread: int = 0
    """Photos that could not be read."""
    marks: dict[tuple[Any, ...], str] = field(default_factory=dict[tuple[Any, ...], str])
    """Of those with other bytes, by the key of the photo or video."""

    def lines(self) -> list[str]:
        """For the user."""
        unread = f"; {self.unread} could not be read, and are not compared" if self.unread else ""
        changed = f"{len(self.marks)} have other bytes, and are read anew" if self.marks else "none has other bytes"
        return [f"{self.same + len(self.marks)} known photos compared by their bytes: {changed}{unread}"]


def with_marks(root: Root, items: Sequence[SourceItem]) -> list[SourceItem]:
    """The items as listed, with the marks of those whose bytes changed under one version."""
    kept = set(root.list(REHASHED.path("x").rpartition("/")[0]))
    if not kept:
        return list(items)
    return [_marked(root, item) if f"{_name(item)}.json" in kept else item for item in items]


def _name(item: SourceItem) -> str:
    return fingerprint(list(item.key))


def _marked(root: Root, item: SourceItem) -> SourceItem:
    mark = load(root, _MARK, _name(item))
    return item if mark is None else replace(item, version=f"{item.version}+{mark['mark']}")


def compare_bytes(
    root: Root,
    listed: Sequence[tuple[SourceItem, SourceItem]],
    plan: Sequence[Photos],
    settings: IndexSettings,
) -> Compared:
    """Reads the photos again that a former run has indexed, and keeps a mark for each that has other bytes.

    Args:
        root: Where the tables lie.
        listed: Each item as its source lists it, and with its mark.
        plan: The photos by their shards, with marks.
        settings: Of the index.
    """
    out = Compared()
    with work_progress("compare bytes", sum(map(len, plan)), "photos"), ThreadPoolExecutor(_AT_ONCE) as threads:
        for found in threads.map(partial(in_worker, _compared, root, settings), plan):
            out.same, out.unread = out.same + found.same, out.unread + found.unread
            out.marks |= found.marks
    names = {marked.key: _name(item) for item, marked in listed}
    for key, mark in out.marks.items():
        keep(root, _MARK, names[key], {"mark": mark})
    return out


def _compared(root: Root, settings: IndexSettings, photos: Photos) -> Compared:
    out, known = Compared(), known_rows(root, photos, settings)
    with PictureReader() as reader:
        for item in photos:
            tick()
            before = known.get(item.key, {}).get("image_id")
            if before is None:
                continue  # it is read anyway
            now = reader.image_id(item)
            if now is None:
                out.unread += 1
            elif now == before:
                out.same += 1
            else:
                whole = now if item.frame is None else reader.image_id(replace(item, frame=0)) or now
                out.marks[replace(item, frame=None).key] = fingerprint(whole)[:_MARK_DIGITS]
    return out
