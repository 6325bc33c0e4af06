"""The sources and drivers of a gallery: each face once, with its picture or why there is none."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from mien.storage import JSON, MissingError, Root, manifest_names, read_manifest, read_shard
from mien.tasks.pages.gallery_columns import Labels, packed
from mien.tasks.pages.gallery_sheets import SheetPictures, decoded
from mien.tasks.runtime.progress import Advance

_COLUMNS = ["face_id", "identity", "status", "reason", "crop"]
_BATCH = 64
NOT_FOUND = "not among the faces of its set"
UNREADABLE = "picture cannot be read: run mien verify"


class Faces:
    """Faces of a table that rows name, numbered as they come."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, face_id: str) -> int:
        """The number of a face."""
        return self._numbers.setdefault(face_id, len(self._numbers))

    def __len__(self) -> int:
        return len(self._numbers)

    def read(self, root: Root, table: str, pictures: SheetPictures, advance: Advance) -> dict[str, JSON]:
        """For the page: ids, people, numbers of the pictures (-1: none) and why a picture is absent, by number of face.

        The table is read once, a shard at a time, and its pictures are packed in its order.
        """
        people: list[str | None] = [None] * len(self)
        absent: list[str | None] = [NOT_FOUND] * len(self)
        shown = array("i", [-1]) * len(self)
        usable, found = set[int](), 0
        for row in self._rows(root, table):
            number = self._numbers[row["face_id"]]
            if absent[number] == NOT_FOUND:
                found += 1
                advance(1)
            # Two rows of a list may name one photo: the first usable one counts, else the first.
            if number in usable or (absent[number] != NOT_FOUND and row["status"] != "ok"):
                continue
            if row["status"] == "ok":
                usable.add(number)
            people[number] = row["identity"]
            crop = row["crop"]
            picture = None if crop is None else decoded(crop)
            if picture is not None:
                shown[number] = pictures.add(picture)
                absent[number] = None
            else:
                absent[number] = UNREADABLE if crop is not None else (row["reason"] or "no picture")
        advance(len(self) - found)
        return {
            "ids": list(self._numbers),
            "person": _labels(people).packed(),
            "picture": packed(np.asarray(shown)),
            "absent": _labels(absent).packed(),
        }

    def _rows(self, root: Root, table: str) -> Iterator[dict[str, Any]]:
        """The rows of these faces; none where the table is gone."""
        if table not in manifest_names(root, "faces"):
            return
        for shard in read_manifest(root, "faces", table).shards:
            try:
                ids = read_shard(root, "faces", shard.fingerprint, ["face_id"])["face_id"].to_pylist()
                chosen = [index for index, face_id in enumerate(ids) if face_id in self._numbers]
                if not chosen:
                    continue
                rows = read_shard(root, "faces", shard.fingerprint, _COLUMNS)
            except MissingError:
                continue  # the shard is gone, and with it its faces
            yield from batched_rows(rows, chosen)


def batched_rows(rows: pa.Table, chosen: Sequence[int]) -> Iterator[dict[str, Any]]:
    """These rows of a table, a few at a time in Python's memory."""
    for start in range(0, len(chosen), _BATCH):
        yield from rows.take(pa.array(chosen[start : start + _BATCH], pa.int64())).to_pylist()


def _labels(values: Sequence[str | None]) -> Labels:
    labels = Labels()
    for value in values:
        labels.add(value)
    return labels
