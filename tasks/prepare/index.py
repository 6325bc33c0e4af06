"""Index: each input picture becomes a row of `images`, readable or not."""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa

from mien.model.errors import ImageError
from mien.model.images.limits import max_pixels
from mien.storage import (
    KEY_COLUMNS,
    Root,
    ShardRef,
    SourceItem,
    SourceLimits,
    StorageError,
    fingerprint,
    plan_shards,
    read_shard,
)
from mien.storage.schemas import IMAGES
from mien.storage.tables import former_manifest
from mien.storage.tombstones import read_tombstones
from mien.storage.unfinished import FormerRows, Row, write_outcome
from mien.tasks.errors import failure_kind
from mien.tasks.prepare.forgotten import ForgottenPhotos
from mien.tasks.runtime.second_look import ask_each, outcome_of
from mien.tasks.runtime.stage import Stage
from mien.tasks.sets.photo_reader import PictureReader

_FOOTERS_AT_ONCE = 16


@dataclass(frozen=True)
class IndexSettings:
    """What decides the content of `images`, besides the pictures."""

    allow_synthetic: bool = False
    """Whether pictures that say that a model made them are taken."""
    limits: SourceLimits = field(default_factory=SourceLimits.from_environment)
    max_pixels: int = field(default_factory=max_pixels)
    """With other limits other pictures can be read."""


Photos = tuple[SourceItem, ...]
"""The inputs of one shard of `images`."""


@dataclass(frozen=True)
class _Former:
    """A shard of the set's former index."""

    keys: list[tuple[Any, ...]]
    """Of its photos; empty where it cannot be read."""
    is_whole: bool
    """Whether every source answered."""


def plan_index(root: Root, name: str, items: Sequence[SourceItem], shard_size: int) -> list[Photos]:
    """Shards for the listed images; those of the set's former index whose images are unchanged stay as they are.

    Where photos take the place of such as did not answer (a list that named them by another version, a video that had
    no frames), their shard stands where it would stand if all had answered.
    """
    former = _former(root, name)
    kept = [shard.keys for shard in former]
    planned = [tuple(shard) for shard in plan_shards(items, key=lambda item: item.key, kept=kept, size=shard_size)]
    listed = {item.key: index for index, item in enumerate(items)}
    stays = [bool(shard.keys) and all(key in listed for key in shard.keys) for shard in former]
    gaps = [index for index, shard in enumerate(former) if not shard.is_whole and not stays[index]]
    if not gaps:
        return planned
    before = sum(stays[: gaps[0]])
    return planned[:before] + sorted(planned[before:], key=lambda shard: listed[shard[0].key])


def _former(root: Root, name: str) -> list[_Former]:
    manifest = former_manifest(root, name, "images")
    if manifest is None:
        return []
    with ThreadPoolExecutor(_FOOTERS_AT_ONCE) as threads:
        return list(threads.map(lambda shard: _former_shard(root, shard), manifest.shards))


def _former_shard(root: Root, shard: ShardRef) -> _Former:
    columns = list(KEY_COLUMNS) if not shard.counts["failed"] else [*KEY_COLUMNS, "failure"]
    try:
        table = read_shard(root, "images", shard.fingerprint, columns)
    except StorageError:
        return _Former([], True)  # deleted, or of a former version: its images go into new shards
    keys = zip(*(table[column].to_pylist() for column in KEY_COLUMNS), strict=True)
    return _Former(list(keys), "failure" not in columns or "source" not in table["failure"].to_pylist())


def _decides(_root: Root, photos: Photos, settings: IndexSettings) -> dict[str, Any]:
    # One string: to look into each of the fields of 100,000 items takes seconds.
    listed = json.dumps([(*item.key, item.status, item.reason) for item in photos])
    return {"settings": asdict(settings), "items": listed}


def _make(root: Root, name: str, photos: Photos, settings: IndexSettings) -> ShardRef:
    former, scope = _former_rows(root, settings), _scope(settings)
    taken = former.take(item.key for item in photos if item.status == "ok")
    # Without an id it was not read: it was the listing that ruled it out then.
    known = {key: rows[0] for key, rows in taken.items() if rows[0]["image_id"]}
    with PictureReader(settings.allow_synthetic) as reader:
        forgotten = ForgottenPhotos(read_tombstones(root), reader)

        def ask(item: SourceItem) -> list[Row]:
            return [forgotten.judged(item, known.get(item.key) or _listed(item))]

        def _listed(item: SourceItem) -> Row:
            return _row(item) | (reader.describe(item) if item.status == "ok" else {})

        def failed(item: SourceItem, error: Exception) -> Row:
            # Of bytes that were read the name is known, though they are no picture.
            named = isinstance(error, ImageError) and failure_kind(error) == "content"
            return _row(item) | outcome_of(error) | {"image_id": reader.image_id(item) if named else None}

        rows = [row for rows in ask_each(photos, ask, failed, "the photos") for row in rows]
    shard = write_outcome(root, "images", name, pa.Table.from_pylist(rows, schema=IMAGES), scope)
    if shard.fingerprint == name:
        former.release(item.key for item in photos)
    return shard


def _scope(settings: IndexSettings) -> str:
    return fingerprint({"code": INDEX.code, "settings": asdict(settings)})


def _former_rows(root: Root, settings: IndexSettings) -> FormerRows:
    return FormerRows(root, "images", _scope(settings), KEY_COLUMNS, _key)


def known_rows(root: Root, photos: Photos, settings: IndexSettings) -> dict[Hashable, Row]:
    """The rows of photos that would be taken for theirs without reading them, by the key of the photo."""
    found = INDEX.find(root, INDEX.name(root, photos, settings), photos)
    if found is None:
        taken = _former_rows(root, settings).take(item.key for item in photos)
        return {key: rows[0] for key, rows in taken.items()}
    return {_key(row): row for row in read_shard(root, "images", found.fingerprint).to_pylist()}


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row[column] for column in KEY_COLUMNS)


def _row(item: SourceItem) -> Row:
    """What the listing tells. What is damaged in a list or an archive stays so until that changes."""
    return asdict(item) | ({"failure": item.failure or "content"} if item.status == "failed" else {})


INDEX = Stage("index photos", "photos", "images", __name__, _decides, _make, "the image decoder")
"""Listed photos become rows of `images`."""
