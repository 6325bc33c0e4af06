"""Named sets: the small pointer files `sets/{name}.json` to the newest manifests of a set's tables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mien.storage.errors import MissingError, StorageError
from mien.storage.fingerprints import is_fingerprint
from mien.storage.root import Root
from mien.storage.schemas import TABLES, TableName

FORMAT = 1

SET_NAME = "[A-Za-z0-9][A-Za-z0-9._-]*"
"""What a set's name looks like, as a regular expression."""
_NAME = re.compile(SET_NAME)


@dataclass(frozen=True)
class NamedSet:
    """A set of images by its name, with the fingerprint of each of its tables."""

    name: str
    tables: dict[TableName, str]


def check_set_name(name: str) -> None:
    """Raises StorageError unless the name is made of letters, digits, - _ and ., and is no fingerprint itself."""
    if not _NAME.fullmatch(name) or is_fingerprint(name):
        raise StorageError(f"{name!r} cannot name a set: use letters, digits, - _ and ., the first a letter or digit")


def write_set(root: Root, name: str, tables: Mapping[str, str]) -> NamedSet:
    """Points the set at these tables, instead of all that it pointed at before.

    Raises:
        StorageError: the name or a table's name or fingerprint is no such, or the root cannot be written.
    """
    check_set_name(name)
    for table, name_of_content in tables.items():
        if table not in TABLES or not is_fingerprint(name_of_content):
            raise StorageError(f"{table} {name_of_content!r} is no table's fingerprint: give what commit returned")
    # TABLES is in the order of the pipeline.
    ordered: dict[TableName, str] = {table: tables[table] for table in TABLES if table in tables}
    text = json.dumps({"format": FORMAT, "name": name, "tables": ordered}, indent=1)
    root.write_bytes(_path(name), text.encode())
    return NamedSet(name, ordered)


def read_set(root: Root, name: str) -> NamedSet:
    """The set of this name.

    Raises:
        StorageError: there is none (the message lists those that there are), or its file is damaged.
    """
    check_set_name(name)
    try:
        content: dict[str, Any] = json.loads(root.read_bytes(_path(name)))
        tables: dict[TableName, str] = dict(content["tables"])
    except MissingError as error:
        known = ", ".join(_names(root)) or "none yet: run mien prepare"
        raise StorageError(f"there is no set {name!r} in {root.url}; it holds {known}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{root.uri(_path(name))} is damaged: delete it and prepare the set again") from error
    if content.get("format") != FORMAT:
        raise StorageError(f"{root.uri(_path(name))} has format {content.get('format')}: upgrade mien to read it")
    return NamedSet(name, tables)


def list_sets(root: Root) -> list[NamedSet]:
    """All sets of a root, sorted by name.

    Raises:
        StorageError: the root cannot be read, or a set's file is damaged.
    """
    return [read_set(root, name) for name in _names(root)]


def newest_first(root: Root, names: Iterable[str]) -> list[str]:
    """Names of sets, the one that was written last first."""
    return sorted(names, key=lambda name: root.modified(_path(name)), reverse=True)


def _names(root: Root) -> list[str]:
    names = (file.removesuffix(".json") for file in root.list("sets") if file.endswith(".json"))
    return sorted(name for name in names if _NAME.fullmatch(name))


def _path(name: str) -> str:
    return f"sets/{name}.json"
