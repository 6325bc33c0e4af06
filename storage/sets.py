"""Named sets: which manifests are the newest of a set's tables, and which were before.

    sets/history/{name}/{version}.json    each version, written once and never changed: the truth
    sets/{name}.json                      a copy of the newest one, for whoever reads it without this module

A version is created only where there is none of its number, so that of two runs which change a set at once one is told.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from mien.storage.errors import ChangedError, MissingError, StorageError
from mien.storage.fingerprints import JSON, is_fingerprint
from mien.storage.root import Root
from mien.storage.runs import check_current
from mien.storage.schemas import TABLES, TableName

FORMAT = 1

SET_NAME = "[A-Za-z0-9][A-Za-z0-9._-]*"
"""What a set's name looks like, as a regular expression."""
_NAME = re.compile(SET_NAME)
_RESERVED = ("history",)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NamedSet:
    """A version of a set by its name, with the fingerprint of each of its tables."""

    name: str
    tables: dict[TableName, str]
    version: int = field(default=0, compare=False)
    """Counted from 1; 0 for a set that was written before versions were kept."""
    about: Mapping[str, JSON] = field(default_factory=dict, compare=False)
    """What it was made from, as the run that wrote it says."""
    written: str = field(default="", compare=False)
    """When, in UTC."""
    is_new: bool = field(default=False, compare=False)
    """Whether the call that returns it has made it."""

    def content(self) -> bytes:
        """What its files hold."""
        content = {
            "format": FORMAT,
            "name": self.name,
            "version": self.version,
            "written": self.written,
            "about": self.about,
            "tables": self.tables,
        }
        return json.dumps(content, indent=1).encode()


def check_set_name(name: str) -> None:
    """Raises StorageError unless the name is made of letters, digits, - _ and ., and is no fingerprint itself."""
    if not _NAME.fullmatch(name) or is_fingerprint(name) or name in _RESERVED:
        raise StorageError(f"{name!r} cannot name a set: use letters, digits, - _ and ., the first a letter or digit")


def set_version(root: Root, name: str) -> int:
    """The number of the set's newest version; 0 where there is none. A run notes it when it begins, for `write_set`."""
    check_set_name(name)
    return max(_versions(root, name), default=0)


def write_set(
    root: Root,
    name: str,
    tables: Mapping[str, str],
    after: int | None = None,
    about: Mapping[str, JSON] | None = None,
) -> NamedSet:
    """Makes a new version of the set, with these tables instead of all that it had. The same tables change nothing.

    Args:
        root: Where the set lies.
        name: Of the set.
        tables: The fingerprint of each table.
        after: The version that this one takes the place of, from `set_version`; None takes the newest, whichever it is.
        about: What the set is made from.

    Raises:
        ChangedError: another run has made a version since `after`, or the job of this context was taken for dead
            (`storage/runs.py`).
        StorageError: the name or a table's name or fingerprint is no such, or the root cannot be written.
    """
    check_set_name(name)
    for table, name_of_content in tables.items():
        if table not in TABLES or not is_fingerprint(name_of_content):
            raise StorageError(f"{table} {name_of_content!r} is no table's fingerprint: give what commit returned")
    # TABLES is in the order of the pipeline.
    ordered: dict[TableName, str] = {table: tables[table] for table in TABLES if table in tables}
    while True:
        newest = set_version(root, name)
        if newest and (known := _read_version(root, name, newest)) is not None and known.tables == ordered:
            _write_pointer(root, known)
            return known
        if after is not None and newest != after:
            raise ChangedError(
                f"the set {name!r} in {root.url} was changed by another run meanwhile (version {newest}): this run "
                "leaves it so; run it again to take its place"
            )
        check_current(root)
        written = datetime.now(UTC).isoformat(timespec="seconds")
        made = NamedSet(name, ordered, newest + 1, dict(about or {}), written, is_new=True)
        if root.create_bytes(_version_path(name, made.version), made.content()):
            _write_pointer(root, made)
            check_current(root)
            return made


def read_set(root: Root, name: str) -> NamedSet:
    """The newest version of the set.

    Raises:
        StorageError: there is none (the message lists those that there are), or its files are damaged.
    """
    check_set_name(name)
    newest = set_version(root, name)
    if newest and (found := _read_version(root, name, newest)) is not None:
        return found
    try:
        pointer = _parsed(root, name, _path(name))
    except MissingError as error:
        if newest:
            raise _damaged(root, name, newest) from error
        known = ", ".join(_names(root)) or "none yet: run mien prepare"
        raise StorageError(f"there is no set {name!r} in {root.url}; it holds {known}") from error
    except ValueError as error:
        if newest:
            raise _damaged(root, name, newest) from error
        raise StorageError(f"{root.uri(_path(name))} is damaged: delete it and prepare the set again") from error
    if pointer.version != newest:
        raise _damaged(root, name, newest)
    if newest:
        root.write_bytes(_version_path(name, newest), pointer.content())
        _log.warning("%s is made again from %s", root.uri(_version_path(name, newest)), root.uri(_path(name)))
    return pointer


def _damaged(root: Root, name: str, version: int) -> StorageError:
    return StorageError(
        f"{root.uri(_version_path(name, version))} is damaged: mien rollback --set {name} goes back to the version "
        "before, or prepare the set again"
    )


def read_version(root: Root, name: str, version: int) -> NamedSet:
    """A version of the set by its number.

    Raises:
        StorageError: there is none, or its file is damaged.
    """
    check_set_name(name)
    known = _versions(root, name)
    if version not in known:
        raise StorageError(f"the set {name!r} has no version {version}; it has {', '.join(map(str, known)) or 'none'}")
    found = _read_version(root, name, version)
    if found is None:
        raise _damaged(root, name, version)
    return found


def roll_back(root: Root, name: str, version: int | None = None) -> NamedSet:
    """Makes a new version of the set with the tables of an older one: without a number, of the one before the newest.

    What came between stays in the history, so that this can be taken back, too.

    Raises:
        StorageError: there is no such version, it is damaged, or a manifest that it needs is gone.
    """
    newest, known = set_version(root, name), set_versions(root, name)
    if version is None:
        older = [number for number in known if number < newest]
        if not older:
            raise StorageError(f"the set {name!r} has no version before {newest}: there is nothing to go back to")
        version = older[-1]
    former = read_version(root, name, version)
    for table, fingerprint in former.tables.items():
        if not root.exists(f"{table}/manifests/{fingerprint}.json"):
            raise StorageError(f"version {version} of {name!r} cannot come back: {table} {fingerprint} was deleted")
    tables = {str(table): fingerprint for table, fingerprint in former.tables.items()}
    return write_set(root, name, tables, newest, {**former.about, "rolled_back_to": version})


def forget_version(root: Root, name: str, version: int) -> None:
    """Deletes a version from the history. Its tables stay until they are collected.

    Raises:
        StorageError: it is the newest one.
    """
    if version >= set_version(root, name):
        raise StorageError(f"version {version} is the newest of {name!r}: it cannot be forgotten")
    root.delete(_version_path(name, version))


def set_versions(root: Root, name: str) -> list[int]:
    """The numbers of all versions of a set, the oldest first; empty for a set from before versions were kept."""
    check_set_name(name)
    return _versions(root, name)


def set_names(root: Root) -> list[str]:
    """Names of all sets, sorted, readable or not."""
    return _names(root)


def set_history(root: Root, name: str) -> list[NamedSet]:
    """All versions of the set that can be read, the oldest first; a damaged one is told in one line of the log.

    Raises:
        StorageError: there is no such set.
    """
    if not _versions(root, name):
        return [read_set(root, name)]
    found = [_read_version(root, name, version) for version in _versions(root, name)]
    return [version for version in found if version is not None]


def list_sets(root: Root) -> list[NamedSet]:
    """All sets of a root, sorted by name. A damaged one is told in one line of the log, and hides no other.

    Raises:
        StorageError: the root cannot be read.
    """
    found: list[NamedSet] = []
    for name in _names(root):
        try:
            found.append(read_set(root, name))
        except StorageError as error:
            if not root.exists(_path(name)) and not _versions(root, name):
                raise
            _log.warning("%s", error)
    return found


def newest_first(root: Root, names: Iterable[str]) -> list[str]:
    """Names of sets, the one that was written last first."""
    return sorted(names, key=lambda name: root.modified(_path(name)), reverse=True)


def _read_version(root: Root, name: str, version: int) -> NamedSet | None:
    """None, and a line in the log, where the file is damaged."""
    path = _version_path(name, version)
    try:
        found = _parsed(root, name, path)
        if found.version != version:
            raise ValueError("it is another version's file")
        return found
    except ValueError as error:
        _log.warning("%s is damaged (%s)", root.uri(path), error)
        return None


def _parsed(root: Root, name: str, path: str) -> NamedSet:
    """Raises ValueError where the file is damaged, MissingError where there is none."""
    try:
        content: dict[str, Any] = json.loads(root.read_bytes(path))
        known = content["format"]
        if known == FORMAT and content["name"] != name:
            raise ValueError("it is another set's file")
        tables: dict[TableName, str] = dict(content["tables"])
        if known == FORMAT and any(table not in TABLES or not is_fingerprint(tables[table]) for table in tables):
            raise ValueError("it names no tables")
        version, about, written = content.get("version", 0), content.get("about", {}), content.get("written", "")
        found = NamedSet(name, tables, int(version), about, written)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("it is no set") from error
    if known != FORMAT:
        raise StorageError(f"{root.uri(path)} has format {known}: upgrade mien to read it")
    return found


def _write_pointer(root: Root, version: NamedSet) -> None:
    root.write_bytes(_path(version.name), version.content())
    newest = set_version(root, version.name)
    if newest != version.version and (later := _read_version(root, version.name, newest)) is not None:
        root.write_bytes(_path(version.name), later.content())  # this copy came after that of a later version


def _names(root: Root) -> list[str]:
    names = (file.removesuffix(".json") for file in root.list("sets") if file.endswith(".json"))
    return sorted(name for name in names if _NAME.fullmatch(name))


def _versions(root: Root, name: str) -> list[int]:
    numbers = (file.removesuffix(".json") for file in root.list(f"sets/history/{name}") if file.endswith(".json"))
    return sorted(int(number) for number in numbers if number.isdigit())


def _path(name: str) -> str:
    return f"sets/{name}.json"


def _version_path(name: str, version: int) -> str:
    return f"sets/history/{name}/{version:08d}.json"
