"""Shards: the Parquet files `{table}/shards/{fingerprint}.parquet` that tables are made of.

A shard's name is the fingerprint of everything that decides its content, so one that exists is never computed again,
and two processes that compute the same one write the same bytes.
"""

from __future__ import annotations

import io
import json
import logging
from collections import Counter
from collections.abc import Callable, Generator, Hashable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from mien.storage.errors import DamagedError, MissingError, StorageError
from mien.storage.fingerprints import is_fingerprint
from mien.storage.older_shards import completed, read_columns
from mien.storage.root import Root, storage_errors
from mien.storage.schemas import FAILURES, SCHEMAS, STATUSES, TABLES, Status, TableName, heatmaps_schema
from mien.storage.seal import CHUNKS, SEAL, SealedFile, SealError, sealed, unsealed_metadata

T = TypeVar("T")

_log = logging.getLogger("mien.storage")

_COUNTS, _NAME = b"mien.counts", b"mien.fingerprint"
"""Keys in the file's metadata: rows by status, so that the footer alone tells what a shard holds; the shard's own name,
so that it is not taken for another."""


@dataclass(frozen=True)
class ShardRef:
    """A shard that is written: what may pass between tasks instead of its rows."""

    table: TableName
    fingerprint: str
    rows: int
    counts: Mapping[Status, int]
    """Rows by status; every status is a key."""
    sha256: str
    """The file's seal (`storage/seal.py`): the SHA-256 of its footer, which has the SHA-256 of everything before it."""


def shard_path(table: TableName, fingerprint: str) -> str:
    """Where a shard lies, relative to its root.

    Raises:
        StorageError: there is no such table, or the fingerprint is none.
    """
    if table not in TABLES:
        raise StorageError(f"there is no table {table!r}: choose one of {', '.join(TABLES)}")
    if not is_fingerprint(fingerprint):
        raise StorageError(f"{fingerprint!r} is no shard's fingerprint: give 32 hexadecimal digits")
    return f"{table}/shards/{fingerprint}.parquet"


def write_shard(root: Root, table: TableName, fingerprint: str, arrow_table: pa.Table) -> ShardRef:
    """Writes a shard, whole or not at all. It is part of no table before `commit`.

    The same rows give the same bytes.

    Raises:
        StorageError: the rows do not fit the table's schema, a status is unknown, a reason is missing or out of place,
            or the root cannot be written.
    """
    path = shard_path(table, fingerprint)
    checked = _checked(table, arrow_table)
    counts = _counts(checked)
    own = {_COUNTS: json.dumps(counts).encode(), _NAME: fingerprint.encode()}
    data = sealed(_parquet(checked.replace_schema_metadata((checked.schema.metadata or {}) | own)))
    root.write_bytes(path, data)
    return ShardRef(table, fingerprint, checked.num_rows, counts, SealedFile(io.BytesIO(data)).seal)


def _checked(table: TableName, given: pa.Table) -> pa.Table:
    expected = _expected_schema(table, given.schema)
    if given.column_names != expected.names:
        raise StorageError(f"{table} has the columns {', '.join(expected.names)}; not {', '.join(given.column_names)}")
    for field in expected:
        column = given.column(field.name)
        if column.type != field.type:
            raise StorageError(f"{table}.{field.name} is {field.type}; not {column.type}")
        if column.null_count and not field.nullable:
            raise StorageError(f"{table}.{field.name} must have a value in each row; {column.null_count} are null")
    _check_outcomes(table, given)
    # One chunk a column: how the rows were put together must not show in the bytes.
    return pa.Table.from_arrays([column.combine_chunks() for column in given.columns], schema=expected)


def _expected_schema(table: TableName, given: pa.Schema) -> pa.Schema:
    if table != "heatmaps":
        return SCHEMAS[table]
    try:
        metadata = {key.decode(): value.decode() for key, value in (given.metadata or {}).items()}
        parts, shape = tuple(metadata["parts"].split(",")), [int(side) for side in metadata["shape"].split(",")]
        expected = heatmaps_schema(parts, shape[1], float(metadata["sigma_px"]), shape[1])
        if float(metadata["scale"]) <= 0 or prod(shape) != expected.field("heatmap").type.byte_width:
            raise ValueError("the shape is not that of the parts")
    except (KeyError, ValueError, IndexError) as error:
        raise StorageError(f"heatmaps without their shape ({error}): make their schema with heatmaps_schema") from error
    return expected.with_metadata(given.metadata)


def _check_outcomes(table: TableName, given: pa.Table) -> None:
    outcomes = (given[name].to_pylist() for name in ("status", "reason", "failure"))
    for status, reason, failure in zip(*outcomes, strict=True):
        if status not in STATUSES:
            raise StorageError(f"{table}.status is one of {', '.join(STATUSES)}; not {status!r}")
        if status == "ok" and reason is not None:
            raise StorageError(f"{table}.reason must be null where the status is ok; not {reason!r}")
        if status != "ok" and not reason:
            raise StorageError(f"{table}.reason must say why a row is {status}")
        # Null for a failed row of a version that did not tell.
        if failure is not None and (status != "failed" or failure not in FAILURES):
            raise StorageError(f"{table}.failure is {' or '.join(FAILURES)}, of failed rows only; not {failure!r}")


def _counts(table: pa.Table) -> dict[Status, int]:
    found = Counter(table["status"].to_pylist())
    return {status: found[status] for status in STATUSES}


def _parquet(table: pa.Table) -> bytes:
    # Crops, heatmaps and embeddings do not repeat, so a dictionary of them would only cost time.
    words = [field.name for field in table.schema if pa.types.is_string(field.type)]
    sink = pa.BufferOutputStream()
    one_group = max(1, table.num_rows)
    # pyarrow has no types of its own; from its default, True, pyright takes the option for a mere switch.
    options: Any = {"compression": "zstd", "use_dictionary": words, "row_group_size": one_group}
    room = unsealed_metadata(len(table.schema))  # one row group; no column is a struct
    pq.write_table(table.replace_schema_metadata((table.schema.metadata or {}) | room), sink, **options)
    return sink.getvalue().to_pybytes()


def find_shard(root: Root, table: TableName, fingerprint: str) -> ShardRef | None:
    """The shard if it exists, from its footer alone.

    Raises:
        StorageError: the file is damaged, or the root cannot be read.
    """
    path = shard_path(table, fingerprint)
    try:
        with _opened(root, table, fingerprint) as (file, seal):
            rows: int = file.metadata.num_rows
            counts: dict[Status, int] = json.loads((file.metadata.metadata or {}).get(_COUNTS, b"{}"))
    except MissingError:
        return None
    if sum(counts.values()) != rows or set(counts) != set(STATUSES):
        raise damaged(root, path)
    return ShardRef(table, fingerprint, rows, counts, seal)


def find_good_shard(root: Root, table: TableName, fingerprint: str) -> ShardRef | None:
    """The shard if it exists and is as it was written; a damaged one is told in one line of the log and counts as none.

    So a run makes it again. In a local root every byte is compared. In an object store, which compares what it stores
    itself, the footer is: to fetch whole shards would take longer than to make some of them.

    Raises:
        StorageError: the root cannot be read.
    """
    try:
        found = find_shard(root, table, fingerprint)
        if found is not None and root.local_path("") is not None:
            check_shard(root, found)
        return found
    except DamagedError:
        _log.warning("%s is damaged: it is made again", root.uri(shard_path(table, fingerprint)))
        return None
    except MissingError:  # it was deleted between the two looks
        return None


def check_shard(root: Root, shard: ShardRef) -> None:
    """Compares every byte of a shard with what was committed.

    Raises:
        StorageError: there is no such shard, a byte is not as it was written, or it is another shard's file.
    """
    path = shard_path(shard.table, shard.fingerprint)
    with storage_errors(root.uri(path)), root.open(path) as binary:
        try:
            file = SealedFile(binary)
            file.check()
        except SealError as error:
            raise damaged(root, path) from error
    if file.seal != shard.sha256:
        raise DamagedError(f"{root.uri(path)} is not the file that was committed: delete it and run the step again")


def read_whole_shard(root: Root, shard: ShardRef, columns: Sequence[str]) -> pa.Table:
    """Rows of a committed shard, of the given columns, after every byte of its file was compared. It is fetched once.

    Raises:
        StorageError: there is no such shard or column, or the file is not the one that was committed.
    """
    path = shard_path(shard.table, shard.fingerprint)
    try:
        sealed_file = SealedFile(io.BytesIO(root.read_bytes(path)))
        sealed_file.check()
        file = sealed_file.parquet()
    except MissingError as error:
        raise MissingError(f"{root.uri(path)} is gone: run the step that made it again") from error
    except (pa.ArrowInvalid, SealError) as error:
        raise damaged(root, path) from error
    about: dict[bytes, bytes] = file.metadata.metadata or {}
    if sealed_file.seal != shard.sha256 or about.get(_NAME) != shard.fingerprint.encode():
        raise DamagedError(f"{root.uri(path)} is not the file that was committed: delete it and run the step again")
    schema = completed(shard.table, without_own_metadata(file.schema_arrow))
    try:
        expected = _expected_schema(shard.table, schema)
    except StorageError as error:
        raise DamagedError(f"{root.uri(path)}: {error}") from error
    if not schema.equals(expected, check_metadata=shard.table == "heatmaps"):
        raise DamagedError(f"{root.uri(path)} has other columns than {shard.table}: run the step that made it again")
    return read_columns(file, columns).replace_schema_metadata(schema.metadata)


def read_shard(root: Root, table: TableName, fingerprint: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Rows of a shard; of the given columns only, in the given order.

    Raises:
        StorageError: there is no such shard or column, the file is damaged, or the root cannot be read.
    """
    with _opened(root, table, fingerprint) as (file, _):
        schema = completed(table, without_own_metadata(file.schema_arrow))
        chosen = schema.names if columns is None else list(columns)
        if unknown := [name for name in chosen if name not in schema.names]:
            raise StorageError(f"{table} has no column {unknown[0]!r}; it has {', '.join(schema.names)}")
        return read_columns(file, chosen).replace_schema_metadata(schema.metadata)


def shard_schema(root: Root, table: TableName, fingerprint: str) -> pa.Schema:
    """The schema of a shard's rows, from its footer alone.

    Raises:
        StorageError: as `read_shard`.
    """
    with _opened(root, table, fingerprint) as (file, _):
        return completed(table, without_own_metadata(file.schema_arrow))


def without_own_metadata(schema: pa.Schema) -> pa.Schema:
    """The schema without what only this module reads."""
    own = (_COUNTS, _NAME, SEAL, CHUNKS)
    metadata = {key: value for key, value in (schema.metadata or {}).items() if key not in own}
    return schema.with_metadata(metadata or None)


@contextmanager
def _opened(root: Root, table: TableName, fingerprint: str) -> Generator[tuple[pq.ParquetFile, str], None, None]:
    """The file of a shard, and its seal. Raises MissingError where there is none, StorageError where it is damaged."""
    path = shard_path(table, fingerprint)
    try:
        with storage_errors(root.uri(path)), root.open(path) as binary:
            try:
                sealed_file = SealedFile(binary)
                file = sealed_file.parquet()
                if (file.metadata.metadata or {}).get(_NAME) != fingerprint.encode():
                    raise SealError("it is another shard's file")
                yield file, sealed_file.seal
            except (pa.ArrowInvalid, SealError) as error:
                raise damaged(root, path) from error
    except MissingError as error:
        raise MissingError(f"{root.uri(path)} is gone: run the step that made it again") from error


def damaged(root: Root, path: str) -> DamagedError:
    """The error of a file of a root whose bytes are not the ones that were written."""
    return DamagedError(f"{root.uri(path)} is damaged: delete it and run the step that made it again")


def plan_shards(
    items: Sequence[T], key: Callable[[T], Hashable], kept: Sequence[Sequence[Hashable]], size: int
) -> list[list[T]]:
    """Shards of the items, such that what was computed before stays.

    First the shards of `kept` (each the keys of a former shard's items) whose items are all still there, as they were
    and in their order; then all other items, in order, in new shards of at most `size`. So a new item makes a new
    shard, and a changed or deleted one costs only the shard that it was in.

    Raises:
        ValueError: two items have the same key, or `size` is below 1.
    """
    if size < 1:
        raise ValueError(f"a shard holds at least 1 item, not {size}")
    left = {key(item): item for item in items}
    if len(left) != len(items):
        raise ValueError("two items have the same key")
    shards: list[list[T]] = []
    for keys in kept:
        if keys and len(set(keys)) == len(keys) and left.keys() >= set(keys):
            shards.append([left.pop(key) for key in keys])
    rest = list(left.values())
    return shards + [rest[start : start + size] for start in range(0, len(rest), size)]
