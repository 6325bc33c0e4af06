"""What no version of any set holds: found, and deleted where that is asked for.

Tables that a version names hold the tables that they were made from, their shards, the detected shards that compared
ones were written from, neutrals and generators. Everything else that a run could find again by its name, and that is
older than the grace period, is garbage: shards of killed runs, tables of forgotten versions, results for these.

Small files that no version names and that save the next run much time stay: `contents/`, `frames/`, `costs/`, `gates/`,
`nights/`, `rehashed/`, `experiments/`. A note in `unfinished/` goes with the shard that it names.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from mien.storage import (
    Manifest,
    MissingError,
    Root,
    StorageError,
    forget_version,
    read_manifest,
    read_set,
    read_version,
    set_names,
    set_versions,
)
from mien.storage.lease_files import lease_folder
from mien.storage.root import FileInfo
from mien.storage.runs import collection
from mien.storage.schemas import TABLES
from mien.tasks.sets.references import Reference, generators_of, neutrals_of, shards_behind, tables_behind

_WRITING = timedelta(minutes=10)
"""So long may a small file take to be written, and so long may a lease lie about before it is garbage."""


@dataclass(frozen=True)
class GarbageRules:
    """What is garbage."""

    grace_hours: float = 168.0
    """What was written since is none."""
    keep_versions: int | None = None
    """Newest versions of each set that hold their tables; None: all."""


@dataclass
class Garbage:
    """What was found."""

    files: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Number and bytes, by folder."""
    versions: dict[str, list[int]] = field(default_factory=dict)
    """That are forgotten first, by set."""
    deleted: bool = False

    def add(self, folder: str, size: int) -> None:
        """Counts a file."""
        number, total = self.files.get(folder, (0, 0))
        self.files[folder] = number + 1, total + size


@dataclass
class _Held:
    shards: dict[str, set[str]] = field(default_factory=lambda: {table: set() for table in TABLES})
    manifests: dict[str, set[str]] = field(default_factory=lambda: {table: set() for table in TABLES})
    generators: set[str] = field(default_factory=set[str])
    neutrals: set[str] = field(default_factory=set[str])

    def add(self, manifest: Manifest) -> None:
        """What this table holds."""
        self.manifests[manifest.table].add(manifest.fingerprint)
        self.shards[manifest.table] |= {shard.fingerprint for shard in manifest.shards}
        self.shards[manifest.table] |= set(shards_behind(manifest))
        self.generators |= generators_of(manifest)
        self.neutrals |= neutrals_of(manifest)


def find_garbage(root: Root, rules: GarbageRules, kept_generators: Sequence[str] = ()) -> Garbage:
    """What would be deleted. Other runs may be at work: then it is an estimate.

    Args:
        root: Where to look.
        rules: What is garbage.
        kept_generators: SHA-256 of weights that stay, though no version names them.

    Raises:
        StorageError: a version or a manifest that is held cannot be read, so that it is not known what it holds.
    """
    out = Garbage(versions=_old_versions(root, rules.keep_versions))
    for folder, file in _garbage(root, rules, kept_generators, out.versions):
        out.add(folder, file.bytes)
    return out


def delete_garbage(root: Root, rules: GarbageRules, kept_generators: Sequence[str] = ()) -> Garbage:
    """Deletes what `find_garbage` finds, while no job is at work.

    Raises:
        StorageError: a job is at work, or it cannot be known what a version holds.
        ChangedError: this process was suspended for so long that a job may have begun meanwhile.
    """
    with collection(root, "collect-garbage") as marker:
        out = Garbage(versions=_old_versions(root, rules.keep_versions), deleted=True)
        # All is found before anything goes: a version that cannot be read stops this here.
        found = list(_garbage(root, rules, kept_generators, out.versions))
        for name, versions in out.versions.items():
            for version in versions:
                marker.check()
                forget_version(root, name, version)
        for folder, file in found:
            marker.check()
            root.delete(f"{folder}/{file.name}")
            out.add(folder, file.bytes)
    return out


def _old_versions(root: Root, keep: int | None) -> dict[str, list[int]]:
    if keep is None:
        return {}
    old = {name: set_versions(root, name)[: -max(1, keep)] for name in set_names(root)}
    return {name: versions for name, versions in old.items() if versions}


def _held(root: Root, forgotten: dict[str, list[int]]) -> _Held:
    held, waiting = _Held(), list[tuple[Reference, bool]]()
    for name in set_names(root):
        versions = [read_version(root, name, v) for v in set_versions(root, name) if v not in forgotten.get(name, ())]
        for version in versions or [read_set(root, name)]:
            waiting += [(reference, True) for reference in version.tables.items()]
    seen = set[Reference]()
    while waiting:
        reference, of_version = waiting.pop()
        if reference in seen:
            continue
        seen.add(reference)
        held.manifests[reference[0]].add(reference[1])
        manifest = _manifest(root, reference, of_version)
        if manifest is not None:
            held.add(manifest)
            waiting += [(behind, False) for behind in tables_behind(manifest)]
    return held


def _manifest(root: Root, reference: Reference, of_version: bool) -> Manifest | None:
    table, fingerprint = reference
    if not root.exists(f"{table}/manifests/{fingerprint}.json"):
        if of_version:
            raise StorageError(
                f"{table} {fingerprint}, which a set holds, is gone: run its flow again, or give --keep-versions"
            )
        return None  # a table behind one that is held: it may have been collected with its own set
    return read_manifest(root, table, fingerprint)


def _garbage(
    root: Root, rules: GarbageRules, kept_generators: Sequence[str], forgotten: dict[str, list[int]]
) -> Iterator[tuple[str, FileInfo]]:
    """Folder and file, manifests before their shards: never is there a manifest without them."""
    held, now = _held(root, forgotten), datetime.now(UTC)
    before = now - timedelta(hours=rules.grace_hours)
    old = [*_tables(root, held), *_artefacts(root, held, set(kept_generators)), *_unfinished(root)]
    for folder, file in old:
        # A job that waits for the end of the collection writes its marker meanwhile.
        limit = min(before, now - _WRITING) if folder == "runs" else before
        if _in_utc(file.written) <= limit:
            yield folder, file
    # While none is deleted jobs may be at work, whose leases are young; while some are, no job is, and none counts.
    for folder, file in _leases(root):
        if _in_utc(file.written) <= max(before, now - _WRITING):
            yield folder, file


def _in_utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _tables(root: Root, held: _Held) -> Iterator[tuple[str, FileInfo]]:
    for part, names, ending in (("manifests", held.manifests, ".json"), ("shards", held.shards, ".parquet")):
        for table in TABLES:
            folder = f"{table}/{part}"
            for file in root.files(folder):
                if file.name.endswith(ending) and file.name.removesuffix(ending) not in names[table]:
                    yield folder, file


def _leases(root: Root) -> Iterator[tuple[str, FileInfo]]:
    for folder in map(lease_folder, TABLES):
        for file in root.files(folder):
            yield folder, file


def _artefacts(root: Root, held: _Held, kept_generators: set[str]) -> Iterator[tuple[str, FileInfo]]:
    for file in root.files("neutrals"):
        if file.name.endswith(".npz") and file.name.removesuffix(".npz") not in held.neutrals:
            yield "neutrals", file
    for file in root.files("compared"):
        if file.name.endswith(".json") and not _shards_of(root, file) <= held.shards["faces"]:
            yield "compared", file
    for scope in root.folders("unfinished"):
        for file in root.files(f"unfinished/{scope}"):
            if not any(file.name.removesuffix(".json") in held.shards[table] for table in TABLES):
                yield f"unfinished/{scope}", file
    for sha256 in root.folders("models"):
        if sha256 not in held.generators | kept_generators:
            for file in root.files(f"models/{sha256}"):
                yield f"models/{sha256}", file


def _shards_of(root: Root, file: FileInfo) -> set[str]:
    """The shards that a kept comparison gave; what cannot be read gave one that nobody holds."""
    try:
        content: Any = json.loads(root.read_bytes(f"compared/{file.name}"))
        return {str(shard) for shard in content["shards"]}
    except (MissingError, ValueError, KeyError, TypeError):
        return {""}


def _unfinished(root: Root) -> Iterator[tuple[str, FileInfo]]:
    """What killed processes left beside the files that they were writing."""
    folders = [f"{table}/{part}" for table in TABLES for part in ("manifests", "shards")]
    for folder in [*folders, "neutrals", "compared", "contents", "frames", "runs"]:
        for file in root.files(folder):
            if file.name.startswith(".") and file.name.endswith(".tmp"):
                yield folder, file
