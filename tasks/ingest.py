"""Index: each input image becomes a row of `images`, readable or not."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import pyarrow as pa

from model.errors import ImageError
from model.images import image_size_px
from storage import (
    Root,
    ShardRef,
    SourceItem,
    StorageError,
    TableRef,
    commit,
    find_shard,
    fingerprint,
    list_sets,
    plan_shards,
    read_manifest,
    read_set,
    read_shard,
    read_source,
    source_digest,
    write_shard,
)
from storage.schemas import IMAGES
from tasks.pool import in_worker, tick

CODE = source_digest("tasks.ingest", "model.images", "storage.schemas")


@dataclass(frozen=True)
class IndexShard:
    """The inputs of one shard of `images`, and its name."""

    items: tuple[SourceItem, ...]
    fingerprint: str


def plan_index(root: Root, name: str, items: Sequence[SourceItem], shard_size: int) -> list[IndexShard]:
    """Shards for the listed images; those of the set's former index whose images are unchanged stay as they are."""
    shards = plan_shards(items, key=_key, kept=_former_keys(root, name), size=shard_size)
    return [
        IndexShard(tuple(shard), fingerprint({"code": CODE, "items": [asdict(i) for i in shard]})) for shard in shards
    ]


def _key(item: SourceItem) -> str:
    return fingerprint(asdict(item))


def _former_keys(root: Root, name: str) -> list[list[str]]:
    if name not in {known.name for known in list_sets(root)}:
        return []
    images = read_set(root, name).tables.get("images")
    shards = read_manifest(root, "images", images).shards if images else ()
    columns = ["uri", "identity", "expression", "version"]
    return [
        [_key(SourceItem(**row)) for row in read_shard(root, "images", shard.fingerprint, columns).to_pylist()]
        for shard in shards
    ]


def index_shard(root: Root, shard: IndexShard) -> ShardRef:
    """The shard of `images` for these items: found where it exists, else read and written."""
    found = find_shard(root, "images", shard.fingerprint)
    if found is None or _has_unread(root, found):
        return in_worker(_index, root, shard)
    tick(found.rows)
    return found


def _has_unread(root: Root, shard: ShardRef) -> bool:
    """Whether a photo could not be read: a network or a permission may be better by now. (Bytes that were read and are
    no picture stay none.)"""
    if not shard.counts["failed"]:
        return False
    return read_shard(root, "images", shard.fingerprint, ["image_id"])["image_id"].null_count > 0


def _index(root: Root, shard: IndexShard) -> ShardRef:
    rows = [_row(item) for item in shard.items]
    return write_shard(root, "images", shard.fingerprint, pa.Table.from_pylist(rows, schema=IMAGES))


def _row(item: SourceItem) -> dict[str, object]:
    row: dict[str, object] = {**asdict(item), "status": "ok"}
    try:
        data = read_source(item.uri)
        row["image_id"] = hashlib.sha256(data).hexdigest()
        row["width_px"], row["height_px"] = image_size_px(data)
    except (StorageError, ImageError) as error:
        row |= {"status": "failed", "reason": str(error)}
    tick()
    return row


def commit_images(root: Root, shards: Sequence[ShardRef]) -> TableRef:
    """Makes the indexed images visible as one table."""
    return commit(root, "images", shards, {"code": CODE})
