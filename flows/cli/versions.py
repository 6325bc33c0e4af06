"""The versions of a set: `mien history` and `mien rollback`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mien.flows.parameters import ROOT, Count, RootUrl, SetName
from mien.flows.result import Shown
from mien.storage import NamedSet, Root, StorageError, read_manifest, read_set, roll_back, set_history
from mien.tasks.errors import checking_arguments


def show_history(*, set: SetName, root: RootUrl = ROOT) -> Shown:
    """List the versions of a set: when each was made, from what, and its tables.

    Args:
        set: Prepared or generated set.
        root: Where the tables lie: a folder or any fsspec URL such as s3://bucket/prefix.
    """
    with checking_arguments():
        opened_root = Root(root)
        newest = read_set(opened_root, set)
        versions = set_history(opened_root, set) or [newest]
    return Shown(tuple(line for version in versions for line in _describe(opened_root, version, newest)))


def restore_version(*, set: SetName, root: RootUrl = ROOT, version: Count | None = None) -> Shown:
    """Go back to the tables of an older version of a set, as a new version.

    Args:
        set: Prepared or generated set.
        root: Where the tables lie: a folder or any fsspec URL such as s3://bucket/prefix.
        version: Number of the version, as mien history lists it; the one before the newest if empty.
    """
    with checking_arguments():
        made = roll_back(Root(root), set, version)
    return Shown((f"{set}: version {made.version} has the tables of version {made.about.get('rolled_back_to')}",))


def _describe(root: Root, version: NamedSet, newest: NamedSet) -> Iterator[str]:
    mark = "  (newest)" if version.version == newest.version else ""
    yield f"{version.name} version {version.version}  {version.written or 'date unknown'}{mark}"
    for key, value in version.about.items():
        yield f"  {key:<14} {_text(value)}"
    for table, fingerprint in version.tables.items():
        try:
            counts = read_manifest(root, table, fingerprint).counts
            told = ", ".join(f"{count} {status}" for status, count in counts.items() if count) or "no rows"
        except StorageError as error:
            told = str(error)
        yield f"  {table:<14} {fingerprint[:12]}  {told}"


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
