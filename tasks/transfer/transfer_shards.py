"""Bulk transfer: each planned pair becomes a row of `transfers`, a generated and measured face."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from mien.storage import Root, ShardRef, TableRef, read_shard, write_shard
from mien.storage.schemas import TRANSFERS
from mien.tasks.runtime.stage import Stage
from mien.tasks.transfer.generate import PairGenerator
from mien.tasks.transfer.settings import TransferSettings, decisive, settings_fingerprint


def _decides(_root: Root, pairs: str, settings: TransferSettings) -> dict[str, str]:
    return {"pairs": pairs, "settings": settings_fingerprint(settings)}


def _make(root: Root, name: str, pairs: str, settings: TransferSettings) -> ShardRef:
    rows = list(PairGenerator(root, settings).rows(read_shard(root, "pairs", pairs).to_pylist()))
    return write_shard(root, "transfers", name, pa.Table.from_pylist(rows, schema=TRANSFERS))


TRANSFER = Stage(
    "transfer expressions", "faces", "transfers", __name__, _decides, _make, "the generator or the judge", step="batch"
)
"""A shard of `pairs`, by its fingerprint, becomes one of `transfers`."""


def commit_transfers(root: Root, pairs: TableRef, shards: Sequence[ShardRef], settings: TransferSettings) -> TableRef:
    """Makes the generated faces visible as one table."""
    return TRANSFER.commit(root, shards, {"pairs": pairs.fingerprint, "settings": decisive(settings)})
