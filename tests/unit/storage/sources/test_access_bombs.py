"""Small inputs that claim much: each is read, or refused with its reason, in bounded memory."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import os
import resource
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.paths import REPOSITORY

MAX_MIB = 1024
"""Of a process that lists and reads, with all that it has loaded."""

SCRIPT = """
import json, sys
from mien.storage import SourceReader, StorageError, list_images
out = []
try:
    items = list_images(sys.argv[1:])
    out += [len(items), *sorted({str(item.reason) for item in items if item.status != "ok"})]
    with SourceReader() as reader:
        for item in [item for item in items if item.status == "ok"][:20]:
            try:
                out.append(len(reader.read(item)))
            except StorageError as error:
                out.append(str(error))
except StorageError as error:
    out.append(str(error))
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([int(peak.split()[1]) / 1024, *out]))
"""


def listed(*specs: object, **limits: int) -> list[object]:
    """Number of items, reasons, and what reading some gave, in a process of its own."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (8 * 2**30, 8 * 2**30))

    command = [sys.executable, "-c", SCRIPT, *map(str, specs)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    environment |= {f"MIEN_MAX_{name.upper()}": str(value) for name, value in limits.items()}
    done = subprocess.run(command, capture_output=True, text=True, check=True, preexec_fn=limit, env=environment)
    peak, *out = json.loads(done.stdout)
    assert peak < MAX_MIB
    return out


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


def packed(write: Callable[[gzip.GzipFile], None]) -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=6) as file:
        write(file)
    return out.getvalue()


def zeros(file: gzip.GzipFile, mib: int) -> None:
    for _ in range(mib):
        file.write(bytes(2**20))


def test_a_table_of_null_rows(tmp_path: Path) -> None:
    column = pa.nulls(2_000_000, pa.binary())
    pq.write_table(pa.table({"image": column}), tmp_path / "a.parquet", compression="zstd")
    assert (tmp_path / "a.parquet").stat().st_size < 10_000
    count, reason = listed(tmp_path / "a.parquet")
    assert count == 1
    assert "has 2000000 rows: split it, or set MIEN_MAX_TABLE_ROWS above 500000" in str(reason)


@pytest.mark.parametrize("rows", [50_000, pytest.param(500_000, marks=pytest.mark.long)])
def test_as_many_null_rows_as_are_allowed(tmp_path: Path, rows: int) -> None:
    pq.write_table(pa.table({"image": pa.nulls(rows, pa.binary())}), tmp_path / "a.parquet", compression="zstd")
    count, *read = listed(tmp_path / "a.parquet", table_rows=rows)
    assert count == rows
    assert "holds no bytes" in str(read[0])


def test_a_table_that_unpacks_to_much_more(tmp_path: Path) -> None:
    cell = bytes(128 * 2**20)
    with pq.ParquetWriter(
        tmp_path / "a.parquet", pa.schema([("image", pa.large_binary())]), compression="zstd", use_dictionary=False
    ) as writer:
        writer.write_table(pa.table({"image": pa.array([cell] * 3, pa.large_binary())}), row_group_size=3)
    del cell
    assert (tmp_path / "a.parquet").stat().st_size < 100_000
    count, reason, *_ = listed(tmp_path / "a.parquet")
    assert count == 3
    assert "bytes of the column image in one page, more than 268435456" in str(reason)


def test_one_cell_repeated_for_many_rows(tmp_path: Path) -> None:
    rows = 20_000  # of a million characters twice, were they unpacked
    text = pa.DictionaryArray.from_arrays(pa.nulls(rows, pa.int32()).fill_null(0), pa.array(["x" * 1_000_000]))
    pq.write_table(pa.table({"uri": text, "identity": text}), tmp_path / "a.parquet", compression="zstd")
    assert (tmp_path / "a.parquet").stat().st_size < 200_000
    count, *reasons = listed(tmp_path / "a.parquet")
    assert count == rows
    assert "its uri is of more than 4096 characters" in str(reasons[0])


def test_a_list_in_a_cell_that_never_ends(tmp_path: Path) -> None:
    endless = pa.ListArray.from_arrays(pa.array([0, 50_000_000], pa.int32()), pa.nulls(50_000_000, pa.string()))
    pq.write_table(pa.table({"image": pa.array([b"x"]), "identity": endless}), tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 100_000
    count, reason = listed(tmp_path / "a.parquet")
    assert count == 1
    assert "50000000 values in 1 rows" in str(reason)


def test_a_page_whose_size_only_its_own_header_tells(tmp_path: Path) -> None:
    pq.write_table(
        pa.table({"image": pa.array([bytes(300 * 2**20)])}),
        tmp_path / "a.parquet",
        compression="zstd",
        use_dictionary=False,
    )
    data = (tmp_path / "a.parquet").read_bytes()
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    claimed = varint(pq.ParquetFile(tmp_path / "a.parquet").metadata.row_group(0).column(0).total_uncompressed_size)
    # The table of contents says one byte; it stays as long as it is.
    lie = b"\x82" + b"\x80" * (len(claimed) - 2) + b"\x00"
    assert data.count(claimed, footer)
    (tmp_path / "a.parquet").write_bytes(data[:footer] + data[footer:].replace(claimed, lie))
    assert pq.ParquetFile(tmp_path / "a.parquet").metadata.row_group(0).column(0).total_uncompressed_size == 1
    _, reason = listed(tmp_path / "a.parquet")
    assert "in one page, more than 268435456" in str(reason)


def varint(value: int) -> bytes:
    """As Thrift's compact protocol writes it."""
    value, out = value << 1, bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def test_an_archive_of_large_labels(tmp_path: Path) -> None:
    def write(file: gzip.GzipFile) -> None:
        for number in range(50):
            body = json.dumps({"identity": "a" * (2**20 - 90), "consent": "b" * 10}).encode()
            file.write(header(f"{number}.json", len(body)) + body + b"\0" * (-len(body) % 512))
            file.write(header(f"{number}.jpg", 0))
        file.write(bytes(1024))

    (tmp_path / "a.tar.gz").write_bytes(packed(write))
    count, reason = listed(tmp_path / "a.tar.gz")
    assert count == 50
    assert "its identity is of more than 256 characters" in str(reason)


def test_an_archive_of_more_members_than_are_allowed(tmp_path: Path) -> None:
    block = b"".join(header(f"p/{number:03d}.jpg", 0) for number in range(1000))

    def write(file: gzip.GzipFile) -> None:
        for _ in range(21):
            file.write(block)

    (tmp_path / "a.tar.gz").write_bytes(packed(write))
    count, reason, *_ = listed(tmp_path / "a.tar.gz", members=20_000)
    assert str(reason).startswith("it has more than 20000 members: split it")
    assert count == 20_001


def test_a_name_and_an_extended_header_of_gigabytes(tmp_path: Path) -> None:
    for kind in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE):

        def write(file: gzip.GzipFile, kind: bytes = kind) -> None:
            file.write(header("x", 2**31, kind))
            zeros(file, 1)

        (tmp_path / "a.tar.gz").write_bytes(packed(write))
        count, reason = listed(tmp_path / "a.tar.gz")
        assert count == 1
        assert "a name of 2147483648 bytes" in str(reason)


def test_a_member_of_gigabytes_is_refused_and_the_next_one_found(tmp_path: Path) -> None:
    def write(file: gzip.GzipFile) -> None:
        file.write(header("large.jpg", 300 * 2**20))
        zeros(file, 300)
        file.write(header("small.jpg", 1) + b"x".ljust(512, b"\0") + bytes(1024))

    (tmp_path / "a.tar.gz").write_bytes(packed(write))
    count, reason, read = listed(tmp_path / "a.tar.gz")
    assert (count, read) == (2, 1)
    assert "it is of 314572800 bytes" in str(reason)


def test_a_packed_archive_that_asks_for_much_memory(tmp_path: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 2**30}]
    (tmp_path / "a.tar.xz").write_bytes(lzma.compress(header("a.jpg", 0) + bytes(1024), filters=filters))
    count, reason = listed(tmp_path / "a.tar.xz")
    assert count == 1
    assert "Memory usage limit" in str(reason)


def test_a_list_of_one_line_and_one_of_many(tmp_path: Path) -> None:
    with (tmp_path / "line.csv").open("w") as file:
        file.write("uri\n")
        for _ in range(300):
            file.write("x" * 2**20)
    with (tmp_path / "rows.csv").open("w") as file:
        file.write("uri,identity\n")
        for _ in range(51):
            file.write("a.jpg,anna\n" * 1000)
    assert "a line of more than 16384 characters" in str(listed(tmp_path / "line.csv"))
    assert "has more than 50000 rows" in str(listed(tmp_path / "rows.csv", table_rows=50_000))


def test_a_file_of_more_bytes_than_a_photo_has(tmp_path: Path) -> None:
    with (tmp_path / "a.jpg").open("wb") as file:
        file.truncate(5 * 2**30)
    count, read = listed(tmp_path / "a.jpg")
    assert count == 1
    assert "is of more than 268435456 bytes" in str(read)
