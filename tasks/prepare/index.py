"""Index: each input picture becomes a row of `images`, readable or not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from mien.model.errors import ImageError
from mien.storage import (
    KEY_COLUMNS,
    Root,
    ShardRef,
    SourceItem,
    StorageError,
    TableRef,
    commit,
    find_good_shard,
    fingerprint,
    plan_shards,
    read_shard,
    source_digest,
    write_shard,
)
from mien.storage.schemas import IMAGES
from mien.storage.tables import former_manifest
from mien.storage.tombstones import read_tombstones
from mien.tasks.prepare.forgotten import ForgottenPhotos
from mien.tasks.runtime.workers import in_worker, tick
from mien.tasks.sets.photo_reader import PictureReader

CODE = source_digest(__name__)

_FOOTERS_AT_ONCE = 16


@dataclass(frozen=True)
class IndexShard:
    """The inputs of one shard of `images`, and its name."""

    items: tuple[SourceItem, ...]
    fingerprint: str


def plan_index(root: Root, name: str, items: Sequence[SourceItem], shard_size: int) -> list[IndexShard]:
    """Shards for the listed images; those of the set's former index whose images are unchanged stay as they are."""
    kept = _former_keys(root, name)
    shards = plan_shards(items, key=lambda item: item.key, kept=kept, size=shard_size)
    return [IndexShard(tuple(shard), _fingerprint(shard)) for shard in shards]


def _fingerprint(items: Sequence[SourceItem]) -> str:
    # One string: to look into each of the fields of 100,000 items takes seconds.
    return fingerprint({"code": CODE, "items": json.dumps([(*i.key, i.status, i.reason) for i in items])})


def _former_keys(root: Root, name: str) -> list[list[tuple[Any, ...]]]:
    manifest = former_manifest(root, name, "images")
    if manifest is None:
        return []
    with ThreadPoolExecutor(_FOOTERS_AT_ONCE) as threads:
        return list(threads.map(lambda shard: _keys(root, shard.fingerprint), manifest.shards))


def _keys(root: Root, shard: str) -> list[tuple[Any, ...]]:
    try:
        table = read_shard(root, "images", shard, KEY_COLUMNS)
    except StorageError:
        return []  # deleted, or of a former version: its images go into new shards
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def find_index(root: Root, shard: IndexShard) -> ShardRef | None:
    """The shard of `images` for these items, if it exists and is worth keeping."""
    found = find_good_shard(root, "images", shard.fingerprint)
    return None if found is None or _has_unread(root, found, shard) else found


def index_shard(root: Root, shard: IndexShard) -> ShardRef:
    """The shard of `images` for these items: found where it exists, else read and written."""
    if found := find_index(root, shard):
        tick(found.rows)
        return found
    return in_worker(_index, root, shard)


def _has_unread(root: Root, found: ShardRef, shard: IndexShard) -> bool:
    """Whether a photo could not be read: a network or a permission may be better by now. (Bytes that were read and are
    no picture stay none, and so does what the listing alone has ruled out.)"""
    never = sum(item.status == "failed" for item in shard.items)
    if found.counts["failed"] <= never:
        return False
    unread = read_shard(root, "images", shard.fingerprint, ["image_id"])["image_id"].null_count
    return unread > sum(item.status != "ok" for item in shard.items)


def _index(root: Root, shard: IndexShard) -> ShardRef:
    with PictureReader() as reader:
        forgotten = ForgottenPhotos(read_tombstones(root), reader)
        rows = [forgotten.judged(item, row) for item, row in zip(shard.items, _rows(shard.items, reader), strict=True)]
    return write_shard(root, "images", shard.fingerprint, pa.Table.from_pylist(rows, schema=IMAGES))


def _rows(items: Sequence[SourceItem], reader: PictureReader) -> Iterator[dict[str, object]]:
    for item in items:
        row: dict[str, object] = asdict(item)
        if item.status == "ok":
            try:
                row |= reader.describe(item)
            except (StorageError, ImageError) as error:
                # Of bytes that were read the name is known, though they are no picture.
                row |= {"status": "failed", "reason": str(error), "image_id": reader.image_id(item)}
        yield row
        tick()


def commit_images(root: Root, shards: Sequence[ShardRef]) -> TableRef:
    """Makes the indexed images visible as one table."""
    return commit(root, "images", shards, {"code": CODE})
