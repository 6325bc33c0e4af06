"""What a committed table names: the tables that it was made from, shards beside its own, and artefacts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mien.storage import Manifest, TableName

Reference = tuple[TableName, str]
"""A table and its fingerprint."""


def tables_behind(manifest: Manifest) -> Iterator[Reference]:
    """The tables that this one was made from, nearest first."""
    about: Any = manifest.about
    if manifest.table == "faces" and "images" in about:
        yield "images", about["images"]
    if manifest.table == "heatmaps" and "faces" in about:
        yield "faces", about["faces"]
    if manifest.table == "pairs":
        for side in ("identities", "expressions"):
            yield from _face_tables(about.get(side) or {})
    if manifest.table == "transfers":
        if "pairs" in about:
            yield "pairs", about["pairs"]
        for each in about.get("settings", {}).get("sets", ()):
            yield from _face_tables(each)


def _face_tables(named: Any) -> Iterator[Reference]:
    for table in ("faces", "heatmaps"):
        if table in named:
            yield table, named[table]


def shards_behind(manifest: Manifest) -> list[str]:
    """Shards of the same table that this one's were written anew from: detected faces before they were compared."""
    about: Any = manifest.about
    return list(about.get("detected", ())) if manifest.table == "faces" else []


def generators_of(manifest: Manifest) -> set[str]:
    """SHA-256 of the weights that made the rows of a table of transfers."""
    return {settings["model"]["sha256"] for settings in _settings_of(manifest)}


def neutrals_of(manifest: Manifest) -> set[str]:
    """Fingerprints of the neutral faces that the rows of a table of transfers were made with."""
    return {settings["neutrals"] for settings in _settings_of(manifest) if settings.get("neutrals")}


def _settings_of(manifest: Manifest) -> list[Any]:
    """Of the rows of a table of transfers: those of the job that wrote it, and those of older generators."""
    about: Any = manifest.about
    if manifest.table != "transfers" or "settings" not in about:
        return []
    return [about["settings"], *about.get("older", {}).values()]
