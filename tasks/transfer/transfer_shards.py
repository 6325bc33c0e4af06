"""Bulk transfer: each planned pair becomes a row of `transfers`, a generated and measured face."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from mien.storage import Root, ShardRef, TableRef, commit, find_good_shard, fingerprint, read_shard, write_shard
from mien.storage.schemas import TRANSFERS
from mien.tasks.runtime.workers import in_worker, tick
from mien.tasks.transfer.generate import generated_rows
from mien.tasks.transfer.settings import CODE, TransferSettings, decisive, settings_fingerprint


def transfer_shard(root: Root, pairs: str, settings: TransferSettings) -> ShardRef:
    """The shard of `transfers` for a shard of `pairs`: found where it exists, else generated and written."""
    return in_worker(make_shard, root, shard_name(pairs, settings), pairs, settings)


def find_transfers(root: Root, pairs: str, settings: TransferSettings) -> ShardRef | None:
    """The shard of `transfers` for a shard of `pairs` if it exists."""
    return find_good_shard(root, "transfers", shard_name(pairs, settings))


def shard_name(pairs: str, settings: TransferSettings) -> str:
    """Fingerprint of all that decides the shard of `transfers` for a shard of `pairs`."""
    return fingerprint({"pairs": pairs, "settings": settings_fingerprint(settings)})


def make_shard(root: Root, name: str, pairs: str, settings: TransferSettings) -> ShardRef:
    """Generates and writes the shard of this name."""
    # Looked for when its turn has come: another run may have made it since this one began.
    if found := find_good_shard(root, "transfers", name):
        tick(found.rows)
        return found
    rows = list(generated_rows(root, read_shard(root, "pairs", pairs).to_pylist(), settings))
    return write_shard(root, "transfers", name, pa.Table.from_pylist(rows, schema=TRANSFERS))


def commit_transfers(root: Root, pairs: TableRef, shards: Sequence[ShardRef], settings: TransferSettings) -> TableRef:
    """Makes the generated faces visible as one table."""
    return commit(root, "transfers", shards, {"pairs": pairs.fingerprint, "settings": decisive(settings), "code": CODE})
