"""Bulk transfer: each planned pair becomes a row of `transfers`, a generated and measured face."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mien.model.detection.load import computes_on_device
from mien.storage import Root, ShardRef, TableRef, open_table, read_manifest, read_shard, write_shard
from mien.storage.schemas import TRANSFERS
from mien.tasks.runtime.stage import Stage
from mien.tasks.transfer.former import FormerJob, FormerTransfers
from mien.tasks.transfer.generate import PairGenerator
from mien.tasks.transfer.settings import MADE_WITH, OLDER, TransferSettings, decisive, settings_fingerprint, settings_of
from mien.tasks.transfer.shard_inputs import shard_inputs


@dataclass(frozen=True)
class TransferJob:
    """What the shards of a job have in common."""

    settings: TransferSettings
    former: FormerTransfers | None = None
    """What the set holds already. It saves work; of faces by older generators it decides which stay."""


def _decides(root: Root, pairs: str, job: TransferJob) -> dict[str, str]:
    return {
        "pairs": pairs,
        "settings": settings_fingerprint(job.settings),
        "inputs": shard_inputs(root, pairs, job.settings, job.former),
    }


def _make(root: Root, name: str, pairs: str, job: TransferJob) -> ShardRef:
    rows = list(PairGenerator(root, job.settings, job.former).rows(read_shard(root, "pairs", pairs).to_pylist()))
    return write_shard(root, "transfers", name, pa.Table.from_pylist(rows, schema=TRANSFERS))


def _networks(job: TransferJob) -> bool:
    """The judge takes more time than the generator."""
    return computes_on_device(job.settings.faces)


TRANSFER = Stage(
    "transfer expressions",
    "faces",
    "transfers",
    __name__,
    _decides,
    _make,
    "the generator or the judge",
    step="batch",
    networks=_networks,
)
"""A shard of `pairs`, by its fingerprint, becomes one of `transfers`."""


def commit_transfers(
    root: Root,
    pairs: TableRef,
    shards: Sequence[ShardRef],
    settings: TransferSettings,
    former: FormerJob | None = None,
) -> TableRef:
    """Makes the generated faces visible as one table, which says with what settings each row was made."""
    about: dict[str, Any] = {"pairs": pairs.fingerprint, "settings": decisive(settings)}
    about[MADE_WITH] = settings_fingerprint(settings)
    older = {} if former is None else former.older_than(settings)
    used = _settings_used(root, shards) if older else set[str]()
    # Their faces are those of the present tables: a row is kept where both of its faces are as they were.
    kept = {name: decisive(replace(other, sets=settings.sets)) for name, other in older.items() if name in used}
    return TRANSFER.commit(root, shards, about | ({OLDER: kept} if kept else {}))


def _settings_used(root: Root, shards: Sequence[ShardRef]) -> set[str]:
    columns = (read_shard(root, "transfers", shard.fingerprint, ["settings"])["settings"] for shard in shards)
    return {value for column in columns for value in column.unique().to_pylist()}


def faces_by_single_photos(root: Root, transfers: TableRef) -> int:
    """How many faces that were made have a driver who is known by one photo."""
    chosen = (pc.field("neutral_photos") == 1) & pc.field("sha256").is_valid()
    return int(open_table(root, "transfers", transfers.fingerprint).count_rows(filter=chosen))


def older_faces(root: Root, transfers: TableRef) -> dict[str, int]:
    """How many faces of a table another generator made than the one that was asked for, by its version."""
    manifest = read_manifest(root, "transfers", transfers.fingerprint)
    asked = settings_of(manifest.about).model.uri
    counts = Counter[str]()
    # Most tables have none; then no shard is read.
    for shard in manifest.shards if OLDER in manifest.about else ():
        counts.update(read_shard(root, "transfers", shard.fingerprint, ["model_uri"])["model_uri"].to_pylist())
    return {uri: counts[uri] for uri in sorted(counts) if uri != asked}
