"""The storage package over the wire: s3fs against an S3 server on loopback."""

from __future__ import annotations

import multiprocessing as mp
from concurrent.futures import ProcessPoolExecutor

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from mien.storage import (
    MissingError,
    Root,
    ShardRef,
    SourceItem,
    StorageError,
    commit,
    find_shard,
    fingerprint,
    list_images,
    list_manifests,
    list_sets,
    open_table,
    read_shard,
    read_source,
    write_set,
    write_shard,
)
from mien.storage.schemas import IMAGES


def _images(first: int, count: int) -> pa.Table:
    rows = [
        {"image_id": fingerprint(n), "uri": f"{n}.jpg", "version": "0", "status": "ok"}
        for n in range(first, first + count)
    ]
    return pa.Table.from_pylist(rows, schema=IMAGES)


def _write(root: Root, first: int) -> ShardRef:
    return write_shard(root, "images", fingerprint(first), _images(first, 3))


@pytest.fixture
def root(s3_url: str) -> Root:
    return Root(f"{s3_url}/some/prefix/")


def test_a_table_goes_there_and_back(root: Root) -> None:
    assert list_sets(root) == []
    assert find_shard(root, "images", fingerprint(10)) is None

    shards = [_write(root, first) for first in (20, 10)]
    assert [find_shard(root, "images", shard.fingerprint) for shard in shards] == shards
    ref = commit(root, "images", shards, {"code": "abc"})
    write_set(root, "demo", {"images": ref.fingerprint})

    assert read_shard(root, "images", fingerprint(10), ["uri"])["uri"].to_pylist() == ["10.jpg", "11.jpg", "12.jpg"]
    dataset = open_table(root.url, "images", "demo")
    assert dataset.to_table().equals(pa.concat_tables([_images(20, 3), _images(10, 3)]))
    assert dataset.to_table(columns=["version"], filter=pc.field("uri") == "11.jpg").num_rows == 1
    assert [manifest.about for manifest in list_manifests(root, "images")] == [{"code": "abc"}]
    assert [known.name for known in list_sets(root)] == ["demo"]
    assert ref.uri == f"{root.url}/images/manifests/{ref.fingerprint}.json"


def test_spawned_workers_write_what_this_process_sees_at_once(root: Root) -> None:
    assert root.list("images/shards") == []
    with ProcessPoolExecutor(2, mp.get_context("spawn")) as pool:
        shards = list(pool.map(_write, [root] * 4, [1, 4, 7, 1]))
    assert shards[0] == shards[3]
    assert len(root.list("images/shards")) == 3
    ref = commit(root, "images", shards[:3], {})
    assert open_table(root, "images", ref.fingerprint).count_rows() == 9


def test_files_of_a_root(root: Root) -> None:
    root.write_bytes("a/one", b"1")
    root.write_bytes("a/b/two", b"2")
    assert root.list("a") == ["one"]
    assert root.exists("a/b")
    assert root.local_path("a") is None
    root.delete("a/one")
    root.delete("a/one")
    assert not root.exists("a/one")
    with pytest.raises(MissingError, match=r"a/one does not exist"):
        root.read_bytes("a/one")


def test_photos_are_listed_with_their_etags(root: Root) -> None:
    root.write_bytes("photos/anna/1.jpg", b"first")
    root.write_bytes("photos/alone.png", b"second")
    root.write_bytes("photos/notes.txt", b"no photo")
    photos = f"{root.url}/photos"
    items = list_images([photos])
    assert items == [
        SourceItem(f"{photos}/alone.png", "photos", None, "6-a9f0e61a137d86aa9db53465e0801612"),
        SourceItem(f"{photos}/anna/1.jpg", "anna", None, "5-8b04d5e3775d298e78455efc5ca404d5"),
    ]
    assert [read_source(item.uri) for item in items] == [b"second", b"first"]
    assert list_images([f"{photos}/*/*.jpg"]) == items[1:]
    assert list_images([f"{photos}/anna/1.jpg"]) == items[1:]

    root.write_bytes("photos/alone.png", b"change")
    assert list_images([photos])[0].version != items[0].version


def test_a_missing_bucket_says_what_to_do(s3_url: str) -> None:
    root = Root(f"{s3_url}-that-nobody-made/prefix")
    advice = r"the bucket of s3://\S+-that-nobody-made/prefix\S* does not exist: create it or correct the URL"
    with pytest.raises(StorageError, match=advice):
        _write(root, 1)
    with pytest.raises(StorageError, match=advice):
        list_sets(root)
    with pytest.raises(StorageError, match=advice):
        list_images([root.url])


def test_missing_credentials_say_what_to_set(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    with pytest.raises(StorageError, match=r"access to s3://\S+ was refused .*AWS_ACCESS_KEY_ID and"):
        _write(Root(s3_url), 1)


def test_a_server_that_does_not_answer_says_so(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    root = Root(s3_url)
    monkeypatch.setattr(root.filesystem, "retries", 1)
    with pytest.raises(StorageError, match=r"cannot be read or written .*check that it is reachable"):
        root.read_bytes("file")
