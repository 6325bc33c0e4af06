"""Which tables of a root another version of the code made, and what a rerun therefore makes again.

A manifest keeps the code version of its makers. Here the present one is computed from the source files alone, so that
neither the networks nor the detectors have to be loaded to compare them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from mien.storage import Manifest, NamedSet, Root, StorageError, TableName, read_manifest, source_digest
from mien.storage.schemas import TABLES


@dataclass(frozen=True)
class Maker:
    """A module that decides a table's rows."""

    table: TableName
    module: str
    kept_as: str = "code"
    """Where the manifest keeps the code version."""


MAKERS = (
    Maker("images", "mien.tasks.prepare.index"),
    Maker("faces", "mien.tasks.prepare.detect"),
    Maker("faces", "mien.tasks.prepare.compare", "compare_code"),
    Maker("heatmaps", "mien.tasks.prepare.heatmaps"),
    Maker("pairs", "mien.tasks.plan.pair_shards"),
    Maker("transfers", "mien.tasks.transfer.transfer_shards"),
)

_NEEDED_BY: dict[TableName, tuple[TableName, ...]] = {
    "faces": ("heatmaps", "transfers"),
    "heatmaps": ("transfers",),
    "pairs": ("transfers",),
}
"""Tables whose shards are named by what another one is made of. Faces are not: they follow from the photos' bytes."""


def is_outdated(manifest: Manifest) -> bool:
    """Whether another version of the code made the table, or the library versions that count were others."""
    about: Any = manifest.about
    makers = [maker for maker in MAKERS if maker.table == manifest.table]
    return any(about.get(maker.kept_as) != source_digest(maker.module) for maker in makers)


def recomputed(root: Root, sets: Sequence[NamedSet]) -> dict[str, list[TableName]]:
    """What running the same flows again makes anew because of the code, by set: only sets with anything to make.

    Tables whose manifest is damaged are left out.
    """
    manifests = {named.name: _manifests(root, named) for named in sets}
    again: dict[str, set[TableName]] = {}
    for name, tables in manifests.items():
        again[name] = _with_followers({table for table, manifest in tables.items() if is_outdated(manifest)}, tables)
    for name, tables in manifests.items():
        if any({"faces", "heatmaps"} & again.get(source, set()) for source in _sources(tables)):
            again[name].add("transfers")
    return {name: [table for table in TABLES if table in found] for name, found in again.items() if found}


def _manifests(root: Root, named: NamedSet) -> dict[TableName, Manifest]:
    """Of the tables that can be read. A table whose manifest is damaged or gone says nothing of its makers."""
    found: dict[TableName, Manifest] = {}
    for table, fingerprint in named.tables.items():
        with suppress(StorageError):
            found[table] = read_manifest(root, table, fingerprint)
    return found


def _with_followers(outdated: set[TableName], tables: Mapping[TableName, Manifest]) -> set[TableName]:
    followers: set[TableName] = {after for table in outdated for after in _NEEDED_BY.get(table, ()) if after in tables}
    return outdated | followers


def _sources(tables: Mapping[TableName, Manifest]) -> list[str]:
    """Names of the sets that generated faces were made from."""
    if "transfers" not in tables:
        return []
    about: Any = tables["transfers"].about
    return [str(source["name"]) for source in about.get("settings", {}).get("sets", [])]
