"""What a root holds, as lines of text: `mien ls` and `mien show`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mien.flows.parameters import ROOT, Count, RootUrl, Text
from mien.flows.result import Shown
from mien.storage import NamedSet, Root, StorageError, list_sets, manifest_names, open_table, read_manifest
from mien.storage.root import printable
from mien.storage.schemas import TABLES
from mien.tasks.errors import UsageError, checking_arguments
from mien.tasks.sets.versions import is_outdated, recomputed


def list_root(*, root: RootUrl = ROOT) -> Shown:
    """List the sets of a root and their tables, with counts and fingerprints.

    Args:
        root: Where the tables lie: a folder or any fsspec URL such as s3://bucket/prefix.
    """
    with checking_arguments():
        return Shown(tuple(describe_root(root)))


def show_rows(uri: Text, *, rows: Count = 10) -> Shown:
    """Print rows of a table.

    Args:
        uri: ROOT/TABLE/NAME, such as ./data/demo/faces/demo, or a shard or manifest file.
        rows: Rows to print at most.
    """
    return Shown(tuple(describe_rows(uri, rows)))


def describe_root(url: str) -> list[str]:
    """The sets of a root with their tables; per table, how many versions are kept; what a rerun makes anew."""
    root = Root(url)
    sets = list_sets(root)
    if not sets:
        return [f"{url} holds no set yet: run mien prepare or mien demo"]
    lines = [line for named in sets for line in _describe_set(root, named)]
    kept = ", ".join(f"{table} {len(manifest_names(root, table))}" for table in TABLES)
    return [*lines, f"versions kept: {kept}", *_rerun(root, sets)]


def _describe_set(root: Root, named: NamedSet) -> Iterator[str]:
    yield named.name
    for table, fingerprint in named.tables.items():
        try:
            manifest = read_manifest(root, table, fingerprint)
        except StorageError as error:
            yield f"  {table:<10} {error}"
            continue
        parts = ", ".join(f"{count} {status}" for status, count in manifest.counts.items() if count)
        other = "  (made by another version of the code)" if is_outdated(manifest) else ""
        yield f"  {table:<10} {manifest.rows:>9} rows  {fingerprint[:12]}  {parts}{other}"


def _rerun(root: Root, sets: list[NamedSet]) -> Iterator[str]:
    if again := recomputed(root, sets):
        named = "; ".join(f"{', '.join(tables)} of {name}" for name, tables in again.items())
        yield f"with this version a rerun recomputes {named}"


def describe_rows(uri: str, max_rows: int) -> list[str]:
    """The first rows of a table, a block of `column  value` lines each."""
    url, table, name = _parse(uri)
    with checking_arguments():
        dataset = open_table(Root(url), table, name)
    rows = dataset.head(max_rows).to_pylist()
    lines = [f"{uri}: {dataset.count_rows()} rows, showing {len(rows)}"]
    for row in rows:
        lines += ["", *(f"  {column:<22} {_short(value)}" for column, value in row.items())]
    return lines


def _parse(uri: str) -> tuple[str, Any, str]:
    """Root, table and name of ROOT/TABLE/NAME or ROOT/TABLE/manifests/FINGERPRINT.json."""
    parts = uri.rstrip("/").split("/")
    for position in range(len(parts) - 2, -1, -1):
        if parts[position] in TABLES and position > 0:
            name = parts[-1].removesuffix(".json")
            return "/".join(parts[:position]), parts[position], name
    raise UsageError(f"{uri} names no table: write ROOT/TABLE/NAME with TABLE one of {', '.join(TABLES)}")


def _short(value: Any) -> str:
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        head = ", ".join(_short(item) for item in value[:6])
        return f"[{head}{', …' if len(value) > 6 else ''}]" + (f" ({len(value)})" if len(value) > 6 else "")
    return "–" if value is None else printable(str(value))
