"""The tables without a person: new shards, new manifests, sets that name these; at last the former ones are deleted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from mien.storage import (
    JSON,
    Manifest,
    MissingError,
    Root,
    ShardRef,
    StorageError,
    TableName,
    commit,
    find_shard,
    fingerprint,
    read_manifest,
    read_shard,
    write_shard,
)
from mien.storage.fingerprints import is_fingerprint
from mien.storage.schemas import TABLES
from mien.storage.shards import shard_path
from mien.tasks.forget.journal import Journal
from mien.tasks.forget.mentions import GONE, Mentions, renamed
from mien.tasks.forget.subject import COLUMNS, Row, Subject, shard_names


def without_person(root: Root, table: TableName, name: str, subject: Subject) -> tuple[pa.Table, str] | None:
    """The rows of a shard that stay, and the name of a shard of these; None where it is not affected.

    Raises:
        StorageError: the shard cannot be read.
    """
    narrow = read_shard(root, table, name, COLUMNS[table]).to_pylist()
    stay = [not subject.holds(table, row) for row in narrow]
    scrubs = _scrubs(table, [row for row, kept in zip(narrow, stay, strict=True) if kept], subject)
    if all(stay) and not scrubs:
        return None
    rows = read_shard(root, table, name).filter(pa.array(stay, pa.bool_()))
    for column, values in scrubs.items():
        position = rows.schema.get_field_index(column)
        rows = rows.set_column(position, rows.schema.field(position), pa.array(values, pa.string()))
    kept = [number for number, stays in enumerate(stay) if stays]
    return rows, fingerprint({"without": name, "kept": kept, "scrubbed": scrubs})


def _scrubs(table: TableName, rows: list[Row], subject: Subject) -> dict[str, list[str | None]]:
    """Columns of the faces that stay in which the person is named, with the values that take their place."""
    if table != "faces":
        return {}
    mentions = Mentions(subject)
    of = [None if row["duplicate_of"] in subject.faces else row["duplicate_of"] for row in rows]
    doubts = [row["identity_doubt"] for row in rows]
    plain = [f"looks like {GONE}" if doubt and mentions.in_text(doubt) else doubt for doubt in doubts]
    found: dict[str, list[str | None]] = {}
    if of != [row["duplicate_of"] for row in rows]:
        found["duplicate_of"] = of
    if plain != doubts:
        found["identity_doubt"] = plain
    return found


def manifests_of(root: Root, table: TableName) -> Iterator[Manifest]:
    """All versions of a table that can be read."""
    for name in manifest_names(root, table):
        try:
            yield read_manifest(root, table, name)
        except StorageError:
            continue


def manifest_names(root: Root, table: TableName) -> list[str]:
    """All versions of a table, whether they can be read or not."""
    names = (file.removesuffix(".json") for file in root.list(f"{table}/manifests") if file.endswith(".json"))
    return [name for name in names if is_fingerprint(name)]


def affected_tables(root: Root, subject: Subject, neutrals: Mapping[str, str]) -> dict[str, TableName]:
    """Table by fingerprint of every version that holds the person, or was made from such a version."""
    found: dict[str, TableName] = {}
    for table in TABLES:
        shards = {name for name in shard_names(root, table) if _affected(root, table, name, subject)}
        for manifest in manifests_of(root, table):
            names = {shard.fingerprint for shard in manifest.shards}
            if names & shards or _names_any(manifest.about, {*found, *neutrals}) or _scrubbed_about(manifest, subject):
                found[manifest.fingerprint] = table
    return found


def _affected(root: Root, table: TableName, name: str, subject: Subject) -> bool:
    try:
        return without_person(root, table, name, subject) is not None
    except StorageError:
        return False


def _names_any(value: Any, known: set[str]) -> bool:
    if isinstance(value, str):
        return value in known
    if isinstance(value, Mapping):
        return any(_names_any(inner, known) for inner in value.values())
    return isinstance(value, list) and any(_names_any(inner, known) for inner in value)


def _scrubbed_about(manifest: Manifest, subject: Subject) -> bool:
    return Mentions(subject).in_json(manifest.about.get("compared"))


def rewrite_tables(root: Root, journal: Journal) -> None:
    """Writes shards and manifests without the person beside the former ones, and notes their names in the journal."""
    for table in TABLES:
        new = _rewrite_shards(root, table, journal)
        for manifest in list(manifests_of(root, table)):
            if manifest.fingerprint not in journal.tables or manifest.fingerprint in journal.renamed:
                continue
            shards = [new.get(shard.fingerprint, shard) for shard in manifest.shards]
            about = _about(manifest, journal)
            journal.renamed[manifest.fingerprint] = commit(root, table, shards, about).fingerprint


def _rewrite_shards(root: Root, table: TableName, journal: Journal) -> dict[str, ShardRef]:
    new: dict[str, ShardRef] = {}
    for name in shard_names(root, table):
        path = shard_path(table, name)
        try:
            found = without_person(root, table, name, journal.subject)
            before = find_shard(root, table, name)
        except StorageError:
            continue  # `journal.subject.unreadable` has it
        if found is None or before is None:
            continue
        rows, called = found
        new[name] = write_shard(root, table, called, rows)
        journal.changes[path] = {"before": before.sha256, "after": new[name].sha256}
    return new


def _about(manifest: Manifest, journal: Journal) -> dict[str, JSON]:
    about: dict[str, Any] = dict(renamed(manifest.about, journal.renamed))
    if "compared" in about:
        about["compared"] = Mentions(journal.subject).without(about["compared"])
    return about


def rewrite_sets(root: Root, journal: Journal) -> None:
    """Makes every version of every set name the new tables."""
    mentions = Mentions(journal.subject)
    planned: list[tuple[str, bytes | None]] = []
    for path in root.files_below("sets"):
        try:
            content = json.loads(root.read_bytes(path))
        except ValueError:
            continue  # damaged: mien verify and mien rollback tell of it
        now = renamed(content, journal.renamed)
        if isinstance(content, dict) and content.get("about"):
            now["about"] = mentions.without(now["about"])
        if now != content:
            planned.append((path, json.dumps(now, indent=1).encode()))
    journal.carry_out(root, planned)


def sets_of(root: Root, tables: Mapping[str, TableName]) -> list[str]:
    """Sets one of whose versions names one of the tables."""
    found: set[str] = set()
    for path in root.files_below("sets"):
        try:
            content = json.loads(root.read_bytes(path))
        except (MissingError, ValueError):
            continue
        if _names_any(content, set(tables)):
            found.add(str(content.get("name") or path.rpartition("/")[2].removesuffix(".json")))
    return sorted(found)


def delete_former(root: Root, journal: Journal) -> None:
    """Deletes the manifests and shards that held the person, manifests first: what they list goes after them."""
    former = [name for name in journal.tables if journal.renamed.get(name) != name]
    journal.carry_out(root, [(f"{journal.tables[name]}/manifests/{name}.json", None) for name in former])
    for table in TABLES:
        listed = {shard.fingerprint for manifest in manifests_of(root, table) for shard in manifest.shards}
        gone = [name for name in shard_names(root, table) if _goes(root, table, name, journal.subject, listed)]
        for name in gone:
            root.delete(shard_path(table, name))


def _goes(root: Root, table: TableName, name: str, subject: Subject, listed: set[str]) -> bool:
    """Whether a shard holds the person, or cannot be read and is of no table."""
    try:
        return without_person(root, table, name, subject) is not None
    except StorageError:
        return name not in listed
