"""Which exports a root knows of, by the number of their watermark."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from mien.storage import Root, StorageError, list_sets, set_history
from mien.storage.exports import INDEX
from mien.storage.outputs import noted_outputs
from mien.tasks.export.marks import number_of


def known_numbers(root: Root) -> dict[int, list[str]]:
    """What each number stands for: generated sets by the number that follows from their table, and exports of the root
    by the number that they were given.

    Raises:
        StorageError: the root cannot be read.
    """
    known: dict[int, list[str]] = {}
    for number, what in (*_of_sets(root), *_of_exports(root)):
        if what not in known.setdefault(number, []):
            known[number].append(what)
    return known


def _of_sets(root: Root) -> Iterator[tuple[int, str]]:
    for named in list_sets(root):
        for version in (named, *set_history(root, named.name)):
            if "transfers" in version.tables:
                yield number_of(version.tables["transfers"]), f"the set {named.name}"


def _of_exports(root: Root) -> Iterator[tuple[int, str]]:
    folders = [Root(output.uri) for output in noted_outputs(root).values() if output.kind == "export"]
    below = [path.removesuffix(INDEX).rstrip("/") for path in root.files_below() if path.endswith(f"/{INDEX}")]
    for folder in (*folders, *(Root(root.uri(path)) for path in below)):
        about = _about(folder)
        if "watermark" in about:
            yield int(about["watermark"]["number"]), f"the export {folder.url}"


def _about(folder: Root) -> dict[str, Any]:
    """What the export in a folder says of itself; nothing where it is away, not finished or damaged."""
    try:
        content: dict[str, Any] = json.loads(folder.read_bytes(INDEX))
        return dict(content["about"])
    except (StorageError, ValueError, KeyError, TypeError):
        return {}
