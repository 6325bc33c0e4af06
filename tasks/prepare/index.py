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
    OutsideError,
    Root,
    ShardRef,
    SourceItem,
    SourceLimits,
    StorageError,
    plan_shards,
    read_shard,
    write_shard,
)
from mien.storage.schemas import IMAGES
from mien.storage.tables import former_manifest
from mien.storage.tombstones import read_tombstones
from mien.tasks.prepare.forgotten import ForgottenPhotos
from mien.tasks.runtime.attempts import LostItemError, begin, done, is_lost_for_good
from mien.tasks.runtime.stage import Stage
from mien.tasks.runtime.workers import tick
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


def plan_index(root: Root, name: str, items: Sequence[SourceItem], shard_size: int) -> list[Photos]:
    """Shards for the listed images; those of the set's former index whose images are unchanged stay as they are."""
    kept = _former_keys(root, name)
    return [tuple(shard) for shard in plan_shards(items, key=lambda item: item.key, kept=kept, size=shard_size)]


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


def _decides(_root: Root, photos: Photos, settings: IndexSettings) -> dict[str, Any]:
    # One string: to look into each of the fields of 100,000 items takes seconds.
    listed = json.dumps([(*item.key, item.status, item.reason) for item in photos])
    return {"settings": asdict(settings), "items": listed}


def _all_read(root: Root, found: ShardRef, photos: Photos) -> bool:
    """Whether no photo is left that could not be read: a network or a permission may be better by now. (Bytes that were
    read and are no picture stay none, and so does what the listing alone has ruled out.)"""
    never = sum(item.status == "failed" for item in photos)
    if found.counts["failed"] <= never:
        return True
    rows = read_shard(root, "images", found.fingerprint, ["image_id", "reason"]).to_pylist()
    unread = sum(row["image_id"] is None and not is_lost_for_good(row["reason"] or "") for row in rows)
    return unread <= sum(item.status != "ok" for item in photos)


def _make(root: Root, name: str, photos: Photos, settings: IndexSettings) -> ShardRef:
    with PictureReader(settings.allow_synthetic) as reader:
        forgotten = ForgottenPhotos(read_tombstones(root), reader)
        rows = [forgotten.judged(item, row) for item, row in zip(photos, _rows(photos, reader), strict=True)]
    return write_shard(root, "images", name, pa.Table.from_pylist(rows, schema=IMAGES))


def _rows(items: Sequence[SourceItem], reader: PictureReader) -> Iterator[dict[str, object]]:
    for index, item in enumerate(items):
        row: dict[str, object] = asdict(item)
        if item.status == "ok":
            try:
                begin(index)
                row |= reader.describe(item)
            except LostItemError as error:
                row |= error.outcome()
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
    done()


INDEX = Stage("index photos", "photos", "images", __name__, _decides, _make, "the image decoder", _all_read)
"""Listed photos become rows of `images`."""
