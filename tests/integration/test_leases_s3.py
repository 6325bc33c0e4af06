"""Leases on S3, over the wire: conditional puts, several takers, and a bad night in mid-beat."""

from __future__ import annotations

import dataclasses
import multiprocessing
from collections.abc import Iterator
from typing import Any

import fsspec
import pytest

from mien.storage import Root, fingerprint, lease_files
from mien.storage import leases as storage_leases
from mien.storage.lease_files import clear_leases, lease_path, leased_names
from mien.storage.lease_text import new_text
from mien.storage.leases import LEASE_S, Held, Lease, holder, leased
from mien.storage.swaps import swap
from tests.integration.faulty_s3 import FaultyS3, faulty_s3

NAME = fingerprint("shard")
PATH = lease_path("pairs", NAME)
TAKERS = 4


@pytest.fixture
def root(s3_url: str) -> Root:
    return Root(f"{s3_url}/some/prefix")


@pytest.fixture
def faults(s3_endpoint: str, s3_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyS3]:
    """The proxy before the server; roots that are made after it go through it."""
    with faulty_s3(s3_endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        fsspec.get_filesystem_class("s3").clear_instance_cache()
        yield proxy


def of_another_machine(beat: int = 0) -> bytes:
    text = new_text("make pairs", LEASE_S)
    return dataclasses.replace(text, machine="far", host="far", process="p", holder="h", beat=beat).data()


def test_a_file_is_swapped_where_it_holds_what_was_read(root: Root) -> None:
    assert not swap(root, "file", b"old", b"new")
    root.write_bytes("file", b"old")
    assert not swap(root, "file", b"other", b"new")
    assert swap(root, "file", b"old", b"new")
    assert root.read_bytes("file") == b"new"


def test_a_file_that_another_changes_between_the_look_and_the_put_is_left(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    root.write_bytes("file", b"old")
    read = Root.read_bytes

    def read_late(self: Root, path: str) -> bytes:
        content = read(self, path)
        self.write_bytes(path, b"other's")
        return content

    with monkeypatch.context() as late:
        late.setattr(Root, "read_bytes", read_late)
        assert not swap(root, "file", b"old", b"new")
    assert root.read_bytes("file") == b"other's"


def test_a_lease_is_there_while_its_block_runs(root: Root) -> None:
    with leased(root, "pairs", NAME, "make pairs") as lease:
        assert isinstance(lease, Lease)
        assert leased_names(root, "pairs") == {NAME}
        lease.beat()
        assert lease.has_file
    assert leased_names(root, "pairs") == set()
    root.write_bytes(PATH, of_another_machine())
    with leased(root, "pairs", NAME, "make pairs") as held:
        assert isinstance(held, Held)
    clear_leases(root, "pairs", {NAME})
    assert leased_names(root, "pairs") == set()


def take_over(url: str, content: bytes, start: Any, told: Any) -> None:
    """In a process of its own: what it has read long ago is still there."""
    root = Root(url)
    assert holder(root, "pairs", NAME) is not None
    lease_files._seen[root.url, PATH] = (content, -1e9)  # pyright: ignore[reportPrivateUsage]
    start.wait(60)
    lease = storage_leases._taken(root, PATH, "make pairs")  # pyright: ignore[reportPrivateUsage]
    told.put(isinstance(lease, Lease))


def test_of_several_processes_that_find_a_dead_lease_one_takes_it(root: Root) -> None:
    content = of_another_machine()
    root.write_bytes(PATH, content)
    spawn = multiprocessing.get_context("spawn")
    start, told = spawn.Barrier(TAKERS), spawn.Queue()
    takers = [spawn.Process(target=take_over, args=(root.url, content, start, told)) for _ in range(TAKERS)]
    for taker in takers:
        taker.start()
    got = [told.get(timeout=120) for _ in takers]
    for taker in takers:
        taker.join()
    assert sorted(got) == [False] * (TAKERS - 1) + [True]


def test_faults_that_pass_leave_the_lease_with_its_holder(faults: FaultyS3, s3_url: str) -> None:
    root = Root(f"{s3_url}/some/prefix")
    faults.share = 0.2
    for number in range(10):
        with leased(root, "pairs", fingerprint(number), "make pairs") as lease:
            assert isinstance(lease, Lease)
            for _ in range(3):
                lease.beat()
            assert lease.has_file
    assert sum(count for fault, count in faults.done.items() if fault) >= 5
    faults.heal()
    assert leased_names(root, "pairs") == set()


def test_an_outage_in_mid_beat_costs_neither_the_work_nor_the_lease(faults: FaultyS3, s3_url: str) -> None:
    root = Root(f"{s3_url}/some/prefix")
    with leased(root, "pairs", NAME, "make pairs") as lease:
        assert isinstance(lease, Lease)
        faults.expired = True
        with pytest.raises(storage_leases.StorageError):
            lease.beat()
        faults.heal()
        lease.beat()
        assert lease.has_file
        faults.expired = True
    faults.heal()
    assert leased_names(root, "pairs") == {NAME}  # it could not be deleted, and is this process's to take
    assert holder(root, "pairs", NAME) is None
