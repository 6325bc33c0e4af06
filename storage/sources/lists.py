"""Lists: a CSV or Parquet file with a row for each picture.

Columns: `uri`; optional `identity`, `expression`, `licence`, `consent`. A relative URI counts from the list's folder.
"""

from __future__ import annotations

import csv
import io
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mien.storage.errors import StorageError
from mien.storage.sources.access import open_source, versions_of
from mien.storage.sources.files import SourceFile
from mien.storage.sources.item import SourceItem
from mien.storage.sources.labels import LabelRule
from mien.storage.sources.local import BYTES_SCHEME, is_local, local_path, local_uri
from mien.storage.sources.samples import SCHEME

LABEL_COLUMNS = ("identity", "expression", "licence", "consent")
_SPELLINGS = {"license": "licence"}


def csv_items(file: SourceFile, rule: LabelRule) -> Iterator[SourceItem]:
    """The pictures of a CSV list (UTF-8, with or without a mark).

    Raises:
        StorageError: it cannot be read, or has no column `uri`.
    """
    with open_source(file.uri) as binary:
        try:
            rows = list(csv.DictReader(io.StringIO(binary.read().decode("utf-8-sig"), newline="")))
        except (UnicodeDecodeError, csv.Error) as error:
            raise StorageError(f"{file.uri} is no CSV file in UTF-8 ({error}): save it as such") from error
    if rows and "uri" not in rows[0]:
        raise StorageError(f"{file.uri} has no column uri: its first line must name uri, and may name identity")
    return _listed(file, rows, rule)


def parquet_list_items(file: SourceFile, table: pq.ParquetFile, rule: LabelRule) -> Iterator[SourceItem]:
    """The pictures of a Parquet list."""
    wanted = [name for name in table.schema_arrow.names if name == "uri" or spelled(name) in LABEL_COLUMNS]
    rows = table.read(columns=wanted).to_pylist()
    return _listed(file, rows, rule)


def _listed(file: SourceFile, rows: Iterable[Mapping[Any, Any]], rule: LabelRule) -> Iterator[SourceItem]:
    listed = [(line, row, str(row.get("uri") or "").strip()) for line, row in enumerate(rows)]
    uris = [resolved(uri, file.uri) if uri else "" for _, _, uri in listed]
    known = [uri for uri in uris if uri]
    versions = dict(zip(known, versions_of(known), strict=True))
    for (line, row, written), uri in zip(listed, uris, strict=True):
        labels, found = labels_of_row(row), rule.of(written, None)
        if not uri:
            reason = f"row {line + 1} of the list has no uri"
            yield SourceItem(file.uri, None, None, file.version, row=line, status="failed", reason=reason)
        elif found.status != "ok" and not labels.get("identity"):
            yield SourceItem(uri, None, None, versions[uri], status=found.status, reason=found.reason)
        else:
            identity = found.identity if rule.identity != "source" else labels.get("identity") or found.identity
            expression = labels.get("expression") or found.expression
            terms, consent = labels.get("licence"), labels.get("consent")
            yield SourceItem(uri, identity, expression, versions[uri], licence=terms, consent=consent)


def labels_of_row(row: Mapping[Any, Any]) -> dict[str, str]:
    """The labels among the columns of a row, as text; empty ones left out."""
    named = {spelled(str(name)): value for name, value in row.items()}
    return {name: str(named[name]) for name in LABEL_COLUMNS if named.get(name) not in (None, "")}


def spelled(column: str) -> str:
    """A column's name as it is written here."""
    return _SPELLINGS.get(column, column)


def resolved(uri: str, list_uri: str) -> str:
    """A URI of a list, relative ones from the list's folder."""
    if "://" in uri:
        return local_uri(local_path(uri)) if is_local(uri) else uri
    if uri.startswith((SCHEME, BYTES_SCHEME)):
        return uri
    if is_local(list_uri):
        return local_uri(local_path(posixpath.join(posixpath.dirname(local_path(list_uri)), uri)))
    if uri.startswith("/"):
        return uri
    scheme, _, path = list_uri.partition("://")
    return f"{scheme}://{posixpath.normpath(posixpath.join(posixpath.dirname(path), uri))}"


def is_list(schema: pa.Schema) -> bool:
    """Whether a Parquet file is a list of pictures elsewhere."""
    return "uri" in schema.names
