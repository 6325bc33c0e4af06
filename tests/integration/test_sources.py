"""Sources over the wire: a real HTTP server (which gives whole files only) and a real S3 endpoint."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mien.storage import Root, SourceReader, list_images
from tests.unit.storage.sources.test_archives import tar_of

PHOTOS = {"anna/1.jpg": b"first", "anna/2.png": b"second", "ben/3.webp": b"third"}


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def parquet() -> bytes:
    out = io.BytesIO()
    rows = [{"image": {"bytes": data, "path": name}} for name, data in PHOTOS.items()]
    pq.write_table(pa.Table.from_pylist(rows), out)
    return out.getvalue()


def files() -> dict[str, bytes]:
    listed = "\n".join(["uri,identity", *(f"photos/{name},{name.partition('/')[0]}" for name in PHOTOS)])
    photos = {f"photos/{name}": data for name, data in PHOTOS.items()}
    return {**photos, "a.tar": tar_of(PHOTOS), "a.tar.gz": tar_of(PHOTOS, "w:gz"), "list.csv": listed.encode()}


SOURCES = ["photos/", "a.tar", "a.tar.gz", "list.csv", "a.parquet"]


@pytest.fixture
def http_url(tmp_path: Path) -> Iterator[str]:
    for name, data in {**files(), "a.parquet": parquet()}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def check(spec: str) -> None:
    items = list_images([spec])
    assert [(item.identity, item.status) for item in items] == [("anna", "ok"), ("anna", "ok"), ("ben", "ok")]
    with SourceReader() as reader:
        assert [reader.read(item) for item in items] == list(PHOTOS.values())
        assert reader.read(items[0]) == b"first"
    assert list_images([spec]) == items


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_on_http(http_url: str, name: str) -> None:
    check(f"{http_url}/{name}")


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_on_s3(s3_url: str, name: str) -> None:
    root = Root(f"{s3_url}/sources")
    for path, data in {**files(), "a.parquet": parquet()}.items():
        root.write_bytes(path, data)
    check(f"{root.url}/{name}")
