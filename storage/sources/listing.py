"""The one list of all pictures that a user points at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from mien.storage.artefacts import CONTENTS, json_artefact, load_or_make
from mien.storage.code_version import source_digest
from mien.storage.errors import StorageError
from mien.storage.fingerprints import fingerprint
from mien.storage.root import Root
from mien.storage.sources.archives import Member, archive_items, archive_members
from mien.storage.sources.files import SourceFile, files_of
from mien.storage.sources.item import IMAGE_SUFFIXES, LIST_SUFFIXES, PARQUET_SUFFIXES, SourceItem, is_archive, suffix_of
from mien.storage.sources.labels import LabelRule
from mien.storage.sources.lists import csv_items
from mien.storage.sources.parquet import parquet_items

CODE = source_digest("mien.storage.sources.archives")

_CONTENTS = json_artefact(CONTENTS, list[Member])


def list_images(specs: Sequence[str], rule: LabelRule | None = None, cache: Root | None = None) -> list[SourceItem]:
    """The pictures that the specs name, sorted by URI, each once (as the first spec that names it has it).

    A spec is one of

    - a folder: all photos, videos and tar archives below it, but hidden ones. The identity is the first folder below
      the given one; of photos directly in it, its own name; of videos directly in it, theirs;
    - a glob such as `photos/*/happy*.jpg` (the same kinds, or any suffix that the glob itself ends with), or a file,
      whatever its suffix. The identity is the name of the folder that the file lies in;
    - among these files: `.csv`, and `.parquet` with a column `uri`: lists of pictures with their labels; `.parquet`
      with a column of pictures; `.tar`, `.tar.gz`, …: archives. Of folders, lists and Parquet files have to be named;
    - `sample:orl`.

    Folders, files and globs may be paths or any fsspec URL. A video is one item, whose frames are chosen later.

    Args:
        specs: What the user named.
        rule: Where labels come from; folders if empty.
        cache: A root to keep the tables of contents of archives in, so that an unchanged one is read through once.

    Raises:
        StorageError: a spec names nothing, or cannot be listed, or the rule is none.
    """
    rule = rule or LabelRule()
    rule.check()
    items: dict[tuple[str, int, int, str], SourceItem] = {}
    for spec in specs:
        found = False
        for item in _items_of(spec, rule, cache):
            found = True
            items.setdefault((item.uri, item.row or 0, item.offset_bytes or 0, item.member or ""), item)
        if not found:
            raise _nothing(spec)
    return [items[place] for place in sorted(items)]


def check_sources(specs: Sequence[str], rule: LabelRule | None = None) -> None:
    """Raises StorageError where a spec names nothing or the rule is none, as `list_images`, without listing it all."""
    (rule or LabelRule()).check()
    for spec in specs:
        if not list(islice(files_of(spec), 1)):
            raise _nothing(spec)


def _nothing(spec: str) -> StorageError:
    kinds = "/".join(sorted(suffix[1:] for suffix in IMAGE_SUFFIXES))
    return StorageError(
        f"{spec} names no image: give a folder with {kinds} files, videos or tar archives, a list, a file or a glob"
    )


def _items_of(spec: str, rule: LabelRule, cache: Root | None) -> Iterator[SourceItem]:
    for file in files_of(spec):
        if file.error is not None:
            yield _failed(file, file.error)
        else:
            yield from _items_in(file, rule, cache)


def _failed(file: SourceFile, reason: str) -> SourceItem:
    return SourceItem(file.uri, None, None, file.version, status="failed", reason=reason)


def _items_in(file: SourceFile, rule: LabelRule, cache: Root | None) -> Iterator[SourceItem]:
    suffix = suffix_of(file.below)
    try:
        if suffix in LIST_SUFFIXES:
            yield from csv_items(file, rule)
        elif suffix in PARQUET_SUFFIXES:
            yield from parquet_items(file, rule)
        elif is_archive(file.below):
            yield from archive_items(file, _members(file, cache), rule)
        else:
            labels = rule.of(file.below, file.folder)
            yield SourceItem(
                file.uri, labels.identity, labels.expression, file.version, status=labels.status, reason=labels.reason
            )
    except StorageError as error:
        yield _failed(file, str(error))


def _members(file: SourceFile, cache: Root | None) -> list[Member]:
    """The archive's table of contents: kept in the root, by the archive's version."""
    if cache is None or file.version.endswith(("-", "unreadable")):
        return archive_members(file.uri)
    name = fingerprint([CODE, file.uri, file.version])
    return load_or_make(cache, _CONTENTS, name, lambda: archive_members(file.uri))
