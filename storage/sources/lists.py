"""Lists: a CSV or Parquet file with a row for each picture.

Columns: `uri`; optional `identity`, `expression`, `licence`, `consent`. A relative URI counts from the list's folder.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from mien.storage.errors import ContentError
from mien.storage.root import storage_errors
from mien.storage.sources.access import open_source
from mien.storage.sources.csv_rows import TOO_MANY, csv_rows
from mien.storage.sources.files import SourceFile, kind_of_path
from mien.storage.sources.grants import keep, whole_url
from mien.storage.sources.item import IMAGE_SUFFIXES, SourceItem, suffix_of
from mien.storage.sources.kinds import claimed_kind
from mien.storage.sources.label_columns import list_columns, unread_labels
from mien.storage.sources.labels import LABELS, LabelRule, label_text
from mien.storage.sources.limits import Clock, limits
from mien.storage.sources.local import BYTES_SCHEME, is_local, local_path, local_uri
from mien.storage.sources.notes import Notebook
from mien.storage.sources.policy import SourcePolicy
from mien.storage.sources.remote import UNREADABLE, Version, versions_of
from mien.storage.sources.samples import SCHEME

_ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class Listed:
    """What a row of a list says."""

    row: int
    written: str
    """The URI as it stands there."""
    labels: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None
    """Why the row cannot be used."""


def csv_items(file: SourceFile, rule: LabelRule, policy: SourcePolicy, notebook: Notebook) -> Iterator[SourceItem]:
    """The pictures of a CSV list.

    Raises:
        StorageError: it cannot be read, has no column `uri`, or is longer than a limit allows.
    """
    with storage_errors(file.uri), open_source(file.uri) as binary:
        rows = csv_rows(file.uri, binary)
        header = next(rows)
        columns = list_columns(header)
        notebook.unread_columns(file.uri, unread_labels(header, columns.values(), columns))
        yield from listed_items(file, _of_csv(rows, columns), rule, policy)


def _of_csv(rows: Iterator[dict[str, str]], columns: Mapping[str, str]) -> Iterator[Listed]:
    for number, row in enumerate(rows):
        if TOO_MANY in row:
            yield Listed(number, "", error=f"row {number + 1} of the list has {row[TOO_MANY]}: quote cells with commas")
            continue
        labels = {name: text for name in LABELS if (text := label_text(row.get(columns.get(name, TOO_MANY))))}
        yield Listed(number, (row.get(columns["uri"]) or "").strip(), labels)


def listed_items(
    file: SourceFile, rows: Iterable[Listed], rule: LabelRule, policy: SourcePolicy
) -> Iterator[SourceItem]:
    """An item for each row of a list, whatever is wrong with it.

    Raises:
        ContentError: the list has more rows, or takes longer, than a limit allows.
    """
    rows, clock, seen = iter(rows), Clock(), dict[int, int]()
    while chunk := list(islice(rows, _ROWS_AT_ONCE)):
        clock.check()
        if chunk[-1].row >= limits().table_rows:
            raise ContentError(f"{file.uri} has more than {limits().table_rows} rows: {limits().advice('table_rows')}")
        yield from _items(file, chunk, seen, rule, policy)


def _items(
    file: SourceFile, rows: list[Listed], seen: dict[int, int], rule: LabelRule, policy: SourcePolicy
) -> Iterator[SourceItem]:
    here, most = whole_url(file.uri), limits().uri_chars
    whole = [resolved(row.written, here) if 0 < len(row.written) <= most else "" for row in rows]
    public = keep(whole, seen)
    refused = [_refusal(row, short, policy) for row, short in zip(rows, public, strict=True)]
    asked = [short for short, why in zip(public, refused, strict=True) if short and why is None]
    versions = dict(zip(asked, versions_of(asked), strict=True))
    for row, uri, why in zip(rows, public, refused, strict=True):
        if not row.written:
            reason = row.error or f"row {row.row + 1} of the list has no uri"
            yield SourceItem(file.uri, None, None, file.version, row=row.row, status="failed", reason=reason)
        else:
            version = versions.get(uri or "", Version(UNREADABLE))
            yield _item(row, uri or file.uri, version, why or version.outside, rule)


def _refusal(row: Listed, public: str | None, policy: SourcePolicy) -> str | None:
    if len(row.written) > limits().uri_chars:
        return f"its uri is of more than {limits().uri_chars} characters"
    if public is None:
        return f"the uri of row {row.row + 1} differs from another one in its token only: which picture is which?"
    return policy.refusal(public) if public else None


def _item(row: Listed, uri: str, version: Version, refused: str | None, rule: LabelRule) -> SourceItem:
    kind = _kind(uri) if refused is None else None
    labels = rule.of(row.written if refused is None else "", None, row.labels, uri if kind == "video" else None)
    status, reason = ("rejected", refused) if refused is not None else (labels.status, labels.reason)
    return SourceItem(
        uri,
        labels.identity,
        labels.expression,
        version.text,
        row=row.row,
        licence=labels.licence,
        consent=labels.consent,
        status=status,
        reason=reason,
        kind=kind,
    )


def _kind(uri: str) -> Any:
    """Whether a row names a video: by its content where it lies here and its name does not tell."""
    if suffix_of(uri) in IMAGE_SUFFIXES or uri.startswith(SCHEME):
        return "image"
    known = kind_of_path(local_path(uri)) if is_local(uri) or uri.startswith(BYTES_SCHEME) else claimed_kind(uri)
    return "video" if known == "video" else "image"


def resolved(uri: str, list_uri: str) -> str:
    """A URI of a list, with its credentials; relative ones from the list's folder."""
    if "://" in uri:
        return local_uri(local_path(uri)) if is_local(uri) else uri
    if uri.startswith((SCHEME, BYTES_SCHEME)):
        return uri
    if is_local(list_uri) or list_uri.startswith(BYTES_SCHEME):
        return local_uri(_beside(local_path(list_uri), uri))
    if uri.startswith("/"):
        return uri  # a path of this machine, whatever list says so
    scheme, _, path = list_uri.partition("://")
    return f"{scheme}://{posixpath.normpath(posixpath.join(posixpath.dirname(path.partition('?')[0]), uri))}"


def _beside(list_path: str, written: str) -> str:
    folder = os.path.dirname(list_path)
    path = local_path(os.path.join(folder, written))
    if "\\" in written and not os.path.lexists(path):
        slashed = local_path(os.path.join(folder, written.replace("\\", "/")))
        return slashed if os.path.lexists(slashed) else path
    return path
