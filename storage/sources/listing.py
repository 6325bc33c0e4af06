"""The one list of all pictures that a user points at, and what was not understood of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from mien.storage.artefacts import CONTENTS, json_artefact, load_or_make
from mien.storage.code_version import source_digest
from mien.storage.errors import ErrorKind, StorageError
from mien.storage.fingerprints import fingerprint
from mien.storage.root import Root
from mien.storage.secrets import public_url
from mien.storage.sources.archives import Contents, Member, archive_contents, raw_reason
from mien.storage.sources.files import SourceFile, files_of, given_by
from mien.storage.sources.grants import grant
from mien.storage.sources.item import IMAGE_SUFFIXES, SourceItem, suffix_of
from mien.storage.sources.kinds import RAW_SUFFIXES
from mien.storage.sources.labels import LabelRule
from mien.storage.sources.limits import limits
from mien.storage.sources.lists import csv_items
from mien.storage.sources.notes import Note, Notebook
from mien.storage.sources.parquet import PictureTable, read_table
from mien.storage.sources.policy import SourcePolicy, forget_links
from mien.storage.sources.top_folders import TopFolders

CODE = source_digest("mien.storage.sources.archives")

_CONTENTS = json_artefact(CONTENTS, Contents)


@dataclass(frozen=True)
class Listing:
    """What the specs name."""

    items: list[SourceItem]
    """Sorted by URI."""
    notes: tuple[Note, ...]
    """What was left out or not understood."""


def list_images(
    specs: Sequence[str], rule: LabelRule | None = None, cache: Root | None = None, allow: Sequence[str] = ()
) -> list[SourceItem]:
    """The items of `list_sources`."""
    return list_sources(specs, rule, cache, allow).items


def list_sources(
    specs: Sequence[str], rule: LabelRule | None = None, cache: Root | None = None, allow: Sequence[str] = ()
) -> Listing:
    """The pictures that the specs name, each once, as the first spec that names it has it.

    A spec is one of

    - a folder: all photos, videos and archives below it, whatever they are called, but hidden ones. The identity is the
      first folder below the given one; of photos directly in it, its own name; of videos directly in it, theirs;
    - a glob such as `photos/**/happy*.jpg`: the same kinds, or whatever is called so if it ends with a suffix. The
      identity is the first folder below the part without `*`, as if that folder had been given;
    - a file, whatever it is. The identity is the name of the folder that it lies in;
    - among these files: a list (`.csv`, or Parquet with a column `uri`), whose every row is a picture, also where two
      rows name one photo; Parquet with a column of pictures; tar and ZIP archives. Of folders, lists and Parquet files
      have to be named;
    - `sample:orl`.

    Folders, files and globs may be paths or any fsspec URL. A video is one item, whose frames are chosen later. URIs
    are listed without passwords, tokens and signatures; these are kept for reading within this process and its workers.

    Args:
        specs: What the user named.
        rule: Where labels come from; folders if empty.
        cache: A root to keep the tables of contents of archives in, so that an unchanged one is read through once.
        allow: Prefixes that lists, links and redirects may lead to besides what the specs name.

    Raises:
        StorageError: a spec names nothing, or cannot be listed, or the rule is none, or there is more than a limit
            allows.
    """
    rule = rule or LabelRule()
    rule.check()
    policy = _policy(specs, allow)
    grant(policy)
    notebook, items, listed = Notebook(), dict[tuple[Any, ...], SourceItem](), set[str]()
    for spec in specs:
        before = sum(notebook.left_out.values())
        found = False
        for item in _items_of(spec, rule, cache, policy, notebook):
            found = True
            items.setdefault(_identifying(item), item)
            if _is_list_row(item):
                listed.add(item.uri)
            _check_number(len(items))
        if not found:
            raise _nothing(spec, notebook if sum(notebook.left_out.values()) > before else Notebook())
    # What a list says of a photo goes before what its folder says.
    kept = [item for item in items.values() if item.uri not in listed or item.member or _is_list_row(item)]
    kept.sort(key=lambda item: (item.uri, item.row or 0, item.offset_bytes or 0, item.member or ""))
    return Listing(kept, notebook.notes(kept, rule.identity == "source"))


def _check_number(pictures: int) -> None:
    if pictures > limits().pictures:
        raise StorageError(f"more than {limits().pictures} pictures: {limits().advice('pictures')}")


def _is_list_row(item: SourceItem) -> bool:
    return item.row is not None and item.member is None


def _identifying(item: SourceItem) -> tuple[Any, ...]:
    """Tells what is listed twice: a file or a member by where it lies, a row of a list by all that it says."""
    if _is_list_row(item):
        return item.key
    return (item.uri, item.row, item.offset_bytes, item.member)


def check_sources(specs: Sequence[str], rule: LabelRule | None = None, allow: Sequence[str] = ()) -> None:
    """Raises StorageError where a spec names nothing or the rule is none, as `list_images`, without listing it all."""
    (rule or LabelRule()).check()
    policy = _policy(specs, allow)
    for spec in specs:
        notebook = Notebook()
        if not list(islice(files_of(spec, policy, notebook), 1)):
            raise _nothing(spec, notebook)


def _policy(specs: Sequence[str], allow: Sequence[str]) -> SourcePolicy:
    forget_links()  # they may lead elsewhere than when this process last looked
    given = dict.fromkeys(each for spec in specs for each in given_by(spec))
    return SourcePolicy(tuple(given), tuple(prefix for prefix in allow if prefix.strip()))


def _nothing(spec: str, notebook: Notebook) -> StorageError:
    left_out = "".join(f"; {note.text}" for note in notebook.notes([], False) if note.kind == "left out")
    kinds = "/".join(sorted(suffix[1:] for suffix in IMAGE_SUFFIXES))
    return StorageError(
        f"{public_url(spec)} names no image{left_out}: give a folder with {kinds} files, videos or archives, a list, a "
        "file or a glob"
    )


def _items_of(
    spec: str, rule: LabelRule, cache: Root | None, policy: SourcePolicy, notebook: Notebook
) -> Iterator[SourceItem]:
    archives, tables, held = list[tuple[SourceFile, Contents]](), list[PictureTable](), 0
    for file in files_of(spec, policy, notebook):
        _check_number(held)
        try:
            if file.kind == "archive":
                archives.append((file, _contents(file, cache)))
                held += len(archives[-1][1].members)
            elif file.kind == "parquet":
                table = read_table(file, rule, policy, notebook)
                if isinstance(table, PictureTable):
                    tables.append(table)
                    held += len(table.rows)
                else:
                    yield from table
            elif file.kind == "list":
                # All of it or none: what was read before a fault is no list.
                yield from list(csv_items(file, rule, policy, notebook))
            else:
                if file.kind == "image" and file.folder and rule.pattern is None:
                    notebook.saw_folder(spec, file.folder, file.inside)
                yield _file_item(file, rule)
        except StorageError as error:
            yield _failed(file, str(error), error.kind)
    yield from _archive_items(archives, rule, notebook)
    # The folders of all tables of a spec together tell which of them is a person.
    top = TopFolders.of(row.path for table in tables for row in table.rows)
    for table in tables:
        yield from table.items(rule, top)


def _failed(file: SourceFile, reason: str, kind: ErrorKind) -> SourceItem:
    return SourceItem(file.uri, None, None, file.version, status="failed", reason=reason, failure=kind)


def _file_item(file: SourceFile, rule: LabelRule) -> SourceItem:
    if file.error is not None:
        return _failed(file, file.error, "source")
    if file.outside is not None:
        return SourceItem(file.uri, None, None, file.version, status="rejected", reason=file.outside)
    video = file.uri if file.kind == "video" else None
    labels = rule.of(file.below, file.folder, video=video)
    status, reason = labels.status, labels.reason
    if suffix_of(file.below) in RAW_SUFFIXES:
        status, reason = "rejected", raw_reason(file.below)
    return SourceItem(
        file.uri,
        labels.identity,
        labels.expression,
        file.version,
        status=status,
        reason=reason,
        kind="video" if video else "image",
    )


def _archive_items(
    archives: Sequence[tuple[SourceFile, Contents]], rule: LabelRule, notebook: Notebook
) -> Iterator[SourceItem]:
    """The pictures of all archives of a spec, whose folders together tell which of them is a person."""
    top = TopFolders.of(member.name for _, contents in archives for member in contents.members)
    for file, contents in archives:
        for reason, count in contents.left_out.items():
            notebook.leave_out(reason, count)
        yield from _member_items(file, contents.members, rule, top)


def _member_items(
    file: SourceFile, members: Iterable[Member], rule: LabelRule, top: TopFolders
) -> Iterator[SourceItem]:
    for member in members:
        own = top.person(member.name) or (file.folder if file.inside else None)
        labels = rule.of(member.name, own, member.labels)
        ok = member.status == "ok"
        yield SourceItem(
            file.uri,
            labels.identity,
            labels.expression,
            file.version,
            member.name,
            member.offset_bytes,
            member.length_bytes,
            licence=labels.licence,
            consent=labels.consent,
            status=labels.status if ok else member.status,
            reason=labels.reason if ok else member.reason,
        )


def _contents(file: SourceFile, cache: Root | None) -> Contents:
    """The archive's table of contents: kept in the root, by the archive's version."""
    if cache is None or file.version.endswith(("-", "unreadable")):
        return archive_contents(file.uri)
    name = fingerprint([CODE, asdict(limits()), file.uri, file.version])
    return load_or_make(cache, _CONTENTS, name, lambda: archive_contents(file.uri))
