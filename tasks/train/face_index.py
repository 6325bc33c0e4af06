"""Where the usable faces of sets lie, and whose they are: what a training knows of all faces, 16 bytes each.

Read shard by shard, without pictures and landmarks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import NamedTuple, cast, get_args

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Int

from mien.model.landmarks.schemes import LandmarkScheme
from mien.storage import Root, read_manifest, read_shard
from mien.tasks.runtime.read_ahead import read_ahead
from mien.tasks.sets.faces import FaceTables
from mien.tasks.sets.splits import Split

Rows = Int[np.ndarray, " _"]
"""Of faces; as many as there are."""

SPLITS: tuple[Split, ...] = get_args(Split)
_AT_ONCE = 8
"""Shards: over a network most of the time is waiting."""
_COLUMNS = ("face_id", "identity", "split", "landmark_scheme", "status")


@dataclass(frozen=True)
class Place:
    """A shard of a set."""

    tables: FaceTables
    faces: str
    """Its fingerprint."""
    heatmaps: str | None
    """That of the heatmaps of the same faces; None where the tables are cut into shards differently."""


@dataclass(frozen=True)
class FaceIndex:
    """Usable faces of named people, in the order of the sets and of their tables; each face once."""

    places: tuple[Place, ...]
    names: tuple[tuple[str, str], ...]
    """Set and identity of each person, sorted: a label means a person of its set."""
    schemes: tuple[LandmarkScheme, ...]
    people: Int[np.ndarray, " faces"]
    """Index into the names."""
    sets: Int[np.ndarray, " faces"]
    """Number of the set."""
    shards: Int[np.ndarray, " faces"]
    """Index into the places."""
    rows: Int[np.ndarray, " faces"]
    """Of the shard."""
    splits: Int[np.ndarray, " faces"]
    """Index into `SPLITS`."""
    scheme_of: Int[np.ndarray, " faces"]
    """Index into the schemes."""

    def __len__(self) -> int:
        return len(self.people)

    @property
    def schemes_found(self) -> list[LandmarkScheme]:
        """Of the landmarks of these faces, as they come."""
        kinds, first = np.unique(self.scheme_of, return_index=True)
        return [self.schemes[n] for n in kinds[np.argsort(first)]]

    def chosen(self, which: Rows | Bool[np.ndarray, " faces"]) -> FaceIndex:
        """Some of the faces, in the same order, their people numbered anew."""
        columns = {name: getattr(self, name)[which] for name in _PER_FACE}
        people, numbers = np.unique(columns["people"], return_inverse=True)
        columns["people"] = numbers.astype(np.int32)
        return replace(self, names=tuple(self.names[n] for n in people), **columns)

    def of_split(self, split: Split) -> FaceIndex:
        """The faces of a split."""
        return self.chosen(self.splits == SPLITS.index(split))

    def by_shard(self, among: Rows) -> Iterator[tuple[Place, Rows, Rows]]:
        """(a shard, positions in `among`, their rows of the shard), shard by shard, of some of the faces."""
        shards, rows = self.shards[among], self.rows[among]
        order = np.argsort(shards, kind="stable")
        for part in np.split(order, np.flatnonzero(np.diff(shards[order])) + 1) if len(order) else []:
            yield self.places[shards[part[0]]], part, rows[part]


_PER_FACE = ("people", "sets", "shards", "rows", "splits", "scheme_of")


def read_index(root: Root, sets: Sequence[FaceTables]) -> FaceIndex:
    """The usable faces of named people of all splits.

    A face that several sets have is that of the first one in which it is usable, named or not.

    Raises:
        StorageError: a table or a shard cannot be read.
    """
    places = [place for tables in sets for place in _places(root, tables)]
    number_of_set = {tables: number for number, tables in enumerate(sets)}
    people, schemes, splits = _Numbers(), _Numbers(), _Numbers((("", split), n) for n, split in enumerate(SPLITS))
    parts: list[_Part] = []
    shards = read_ahead(places, lambda place: read_shard(root, "faces", place.faces, _COLUMNS), _AT_ONCE)
    for number, (place, table) in enumerate(shards):
        usable = np.flatnonzero(table["status"].to_numpy() == "ok")
        table = table.take(usable)
        parts.append(
            _Part(
                keys=np.array([_key(face_id) for face_id in table["face_id"].to_pylist()], np.uint64),
                people=people.of(table["identity"], place.tables.name).astype(np.int32),
                sets=np.full(len(usable), number_of_set[place.tables], np.int16),
                shards=np.full(len(usable), number, np.int32),
                rows=usable.astype(np.int32),
                splits=splits.of(table["split"]).astype(np.int8),
                scheme_of=schemes.of(table["landmark_scheme"]).astype(np.int8),
            )
        )
    joined = _Part(*(np.concatenate(column) for column in zip(*parts, strict=True))) if parts else _Part(*_NO_FACES)
    _, first = np.unique(joined.keys, return_index=True)
    names = sorted(people)
    number_of_name = np.empty(len(names), np.int32)
    number_of_name[[people[name] for name in names]] = np.arange(len(names))
    named = np.array([bool(identity) for _, identity in names], np.bool_)
    columns = joined._replace(people=number_of_name[joined.people])._asdict()
    del columns["keys"]
    known = cast("tuple[LandmarkScheme, ...]", tuple(scheme for _, scheme in schemes))
    everything = FaceIndex(tuple(places), tuple(names), known, **columns)
    usable = np.sort(first)
    return everything.chosen(usable[named[everything.people[usable]]])


class _Part(NamedTuple):
    """Of the usable rows of a shard."""

    keys: Int[np.ndarray, " rows"]
    """Of the faces, to find those that are there twice."""
    people: Rows
    sets: Rows
    shards: Rows
    rows: Rows
    splits: Rows
    scheme_of: Rows


_NO_FACES = (np.zeros(0, np.uint64), *(np.zeros(0, np.int32) for _ in _PER_FACE))


class _Numbers(dict[tuple[str, str], int]):
    """A number for each (set, word), in the order in which they come."""

    def of(self, column: pa.ChunkedArray, name: str = "") -> Rows:
        """Those of the words of a column; of null that of the empty word."""
        words = column.combine_chunks().dictionary_encode(null_encoding="encode")
        numbers = [self.setdefault((name, word or ""), len(self)) for word in words.dictionary.to_pylist()]
        return np.array(numbers, np.int64)[words.indices.to_numpy()]


def _key(face_id: str) -> int:
    """Two of 10⁷ faces have one key by chance in one of 10⁵ trainings."""
    return int.from_bytes(blake2b(face_id.encode(), digest_size=8).digest())


def _places(root: Root, tables: FaceTables) -> list[Place]:
    """The shards of a set that have rows, each with its heatmaps, which were made shard by shard."""
    faces = [shard for shard in read_manifest(root, "faces", tables.faces).shards if shard.rows]
    heatmaps = [shard for shard in read_manifest(root, "heatmaps", tables.heatmaps).shards if shard.rows]
    if [shard.rows for shard in faces] != [shard.rows for shard in heatmaps]:
        return [Place(tables, shard.fingerprint, None) for shard in faces]
    return [Place(tables, own.fingerprint, of_it.fingerprint) for own, of_it in zip(faces, heatmaps, strict=True)]
