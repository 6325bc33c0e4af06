"""Who is to be forgotten, as the ids of everything in the tables that shows the person or was made from the photos.

All shard files are read, also those of former versions and those that no table lists any more.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from mien.storage import MissingError, Root, StorageError, TableName, image_name, read_manifest, read_shard
from mien.storage.schemas import TABLES

Row = dict[str, Any]

COLUMNS: dict[TableName, list[str]] = {
    "images": ["image_id", "identity", "uri", "member", "row", "frame"],
    "faces": ["face_id", "image_id", "identity", "duplicate_of", "identity_doubt"],
    "heatmaps": ["face_id"],
    "pairs": ["pair_id", "identity_face_id", "expression_face_id", "further_source_ids", "identity"],
    "transfers": [
        "output_id", "pair_id", "identity_face_id", "expression_face_id", "further_source_ids", "source_image_id",
        "driver_image_id", "further_image_ids", "identity",
    ],
}  # fmt: skip
"""What tells whether a row goes."""


@dataclass(frozen=True)
class Asked:
    """Who is to be forgotten, as a user names them."""

    person: str | None = None
    """The label."""
    image: str | None = None
    """An image id: what was made from this photo, and not the other photos of the person."""
    sets: tuple[str, ...] = ()
    """Sets in which the label means this person; all if empty."""


@dataclass
class Subject:
    """The ids of what goes."""

    label: str | None = None
    """The person's, where it means the same person in all sets."""
    photos: dict[str, int | None] = field(default_factory=dict[str, int | None])
    """Number of the frame in a video, by image id."""
    names: set[str] = field(default_factory=set[str])
    """How a user writes the photos; unreadable ones stand for themselves in lists of pairs."""
    faces: set[str] = field(default_factory=set[str])
    pairs: set[str] = field(default_factory=set[str])
    outputs: set[str] = field(default_factory=set[str])
    unreadable: set[str] = field(default_factory=set[str])
    """Paths of shards that cannot be read."""

    @property
    def ids(self) -> set[str]:
        """Ids that appear outside the tables, too."""
        return {*self.photos, *self.faces, *self.outputs}

    def holds(self, table: TableName, row: Row) -> bool:
        """Whether this row of the table goes."""
        match table:
            case "images":
                return row["image_id"] in self.photos or self._labelled(row) or _name(row) in self.names
            case "faces":
                return row["image_id"] in self.photos or self._labelled(row)
            case "heatmaps":
                return row["face_id"] in self.faces
            case "pairs":
                return self._of_face(row) or self._labelled(row) or row["identity"] in self.photos
            case "transfers":
                photos = row["source_image_id"], row["driver_image_id"], *(row["further_image_ids"] or ())
                shown = any(photo in self.photos for photo in photos)
                return shown or row["pair_id"] in self.pairs or self._of_face(row) or self._labelled(row)

    def _labelled(self, row: Row) -> bool:
        return self.label is not None and same_label(row["identity"], self.label)

    def _of_face(self, row: Row) -> bool:
        shown = {row["identity_face_id"], row["expression_face_id"], *(row["further_source_ids"] or ())}
        return bool(shown & self.faces or shown & self.names)


def same_label(label: str | None, other: str) -> bool:
    """Whether two labels are one name: composed Unicode, without outer blanks."""
    return label is not None and _plain(label) == _plain(other)


def _plain(label: str) -> str:
    return unicodedata.normalize("NFC", label).strip()


def _name(row: Row) -> str:
    return image_name(row["uri"], row["member"], row["row"], row["frame"])


def find_subject(root: Root, asked: Asked, known: Subject | None = None) -> Subject:
    """Everything of the person that the tables hold, added to what is known from a run that was broken off.

    Raises:
        StorageError: the root cannot be read, or there is no such set.
    """
    subject = known or Subject()
    subject.label = None if asked.sets else asked.person
    if asked.image:
        subject.photos.setdefault(asked.image, None)
    within = _shards_of(root, asked.sets) if asked.sets else None
    for table in ("images", "faces"):
        for shard, row in _rows(root, table, subject):
            if asked.person and (within is None or shard in within) and same_label(row["identity"], asked.person):
                if row["image_id"]:
                    subject.photos.setdefault(row["image_id"], row.get("frame"))
                if table == "images":
                    subject.names.add(_name(row))
    for _, row in _rows(root, "images", subject):
        if row["image_id"] in subject.photos:
            subject.photos[row["image_id"]] = row["frame"]
            subject.names.add(_name(row))
    keys: tuple[tuple[TableName, str, set[str]], ...] = (
        ("faces", "face_id", subject.faces),
        ("pairs", "pair_id", subject.pairs),
        ("transfers", "output_id", subject.outputs),
    )
    for table, key, found in keys:
        found |= {row[key] for _, row in _rows(root, table, subject) if subject.holds(table, row)}
    return subject


def shard_names(root: Root, table: TableName) -> list[str]:
    """All shard files of a table, whether a manifest lists them or not."""
    return [file.removesuffix(".parquet") for file in root.list(f"{table}/shards") if file.endswith(".parquet")]


def _rows(root: Root, table: TableName, subject: Subject) -> Iterator[tuple[str, Row]]:
    for name in shard_names(root, table):
        try:
            rows = read_shard(root, table, name, COLUMNS[table]).to_pylist()
        except MissingError:
            continue
        except StorageError:
            subject.unreadable.add(f"{table}/shards/{name}.parquet")
            continue
        yield from ((name, row) for row in rows)


def _shards_of(root: Root, sets: tuple[str, ...]) -> set[str]:
    """The shards of all versions of the sets."""
    from mien.storage import set_history

    found: set[str] = set()
    for name in sets:
        for version in set_history(root, name):
            for table in TABLES:
                if fingerprint := version.tables.get(table):
                    found |= {shard.fingerprint for shard in read_manifest(root, table, fingerprint).shards}
    return found
