"""What a set was before this run."""

from __future__ import annotations

from storage import Manifest, Root, TableName, list_sets, read_manifest, read_set


def former_manifest(root: Root, name: str, table: TableName) -> Manifest | None:
    """The set's table as it stands, if there is one."""
    if name not in {known.name for known in list_sets(root)}:
        return None
    fingerprint = read_set(root, name).tables.get(table)
    return read_manifest(root, table, fingerprint) if fingerprint else None
