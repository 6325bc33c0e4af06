"""Index: each input picture becomes a row of `images`, readable or not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa

from mien.model.errors import ImageError
from mien.model.images.limits import max_pixels
from mien.storage import (
    KEY_COLUMNS,
    Note,
    OutsideError,
    Root,
    ShardRef,
    SourceItem,
    SourceLimits,
    StorageError,
    TableRef,
    commit,
    find_shard,
    fingerprint,
    plan_shards,
    read_shard,
    source_digest,
    write_shard,
)
from mien.storage.schemas import IMAGES
from mien.storage.tables import former_manifest
from mien.tasks.runtime.workers import in_worker, tick
from mien.tasks.sets.photo_reader import PictureReader

CODE = source_digest(__name__)

_FOOTERS_AT_ONCE = 16


@dataclass(frozen=True)
class IndexSettings:
    """What decides the content of `images`, besides the pictures."""

    allow_synthetic: bool = False
    """Whether pictures that say that a model made them are taken."""
    limits: SourceLimits = field(default_factory=SourceLimits.from_environment)
    max_pixels: int = field(default_factory=max_pixels)
    """With other limits other pictures can be read."""


@dataclass(frozen=True)
class IndexShard:
    """The inputs of one shard of `images`, and its name."""

    items: tuple[SourceItem, ...]
    fingerprint: str
    settings: IndexSettings = field(default_factory=IndexSettings)


def plan_index(
    root: Root, name: str, items: Sequence[SourceItem], shard_size: int, settings: IndexSettings | None = None
) -> list[IndexShard]:
    """Shards for the listed images; those of the set's former index whose images are unchanged stay as they are."""
    kept = _former_keys(root, name)
    shards = plan_shards(items, key=lambda item: item.key, kept=kept, size=shard_size)
    settings = settings or IndexSettings()
    return [IndexShard(tuple(shard), _fingerprint(shard, settings), settings) for shard in shards]


def _fingerprint(items: Sequence[SourceItem], settings: IndexSettings) -> str:
    # One string: to look into each of the fields of 100,000 items takes seconds.
    listed = json.dumps([(*i.key, i.status, i.reason) for i in items])
    return fingerprint({"code": CODE, "settings": asdict(settings), "items": listed})


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
    found = find_shard(root, "images", shard.fingerprint)
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
    with PictureReader(shard.settings.allow_synthetic) as reader:
        rows = list(_rows(shard.items, reader))
    return write_shard(root, "images", shard.fingerprint, pa.Table.from_pylist(rows, schema=IMAGES))


def _rows(items: Sequence[SourceItem], reader: PictureReader) -> Iterator[dict[str, object]]:
    for item in items:
        row: dict[str, object] = asdict(item)
        if item.status == "ok":
            try:
                row |= reader.describe(item)
            except ImageError as error:
                # Of bytes that were read the name is known, though they are no picture. Where a decoder is missing
                # there is none, so that the next run asks again.
                image_id = reader.image_id(item) if error.kind == "content" else None
                row |= {"status": "failed", "reason": str(error), "image_id": image_id}
            except StorageError as error:
                status = "rejected" if isinstance(error, OutsideError) else "failed"
                row |= {"status": status, "reason": str(error)}
        yield row
        tick()


def commit_images(root: Root, shards: Sequence[ShardRef], notes: Sequence[Note] = ()) -> TableRef:
    """Makes the indexed images visible as one table, with what the listing left out or did not understand."""
    return commit(root, "images", shards, {"code": CODE, "notes": [asdict(note) for note in notes]})
