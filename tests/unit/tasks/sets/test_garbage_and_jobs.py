"""Jobs and collections keep out of each other's way, in whatever order their steps come."""

from __future__ import annotations

import os
import random
import threading
import time
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pytest

from mien.storage import (
    ChangedError,
    Root,
    StorageError,
    commit,
    find_good_shard,
    fingerprint,
    open_table,
    set_names,
    write_set,
    write_shard,
)
from mien.storage import runs as storage_runs
from mien.storage.schemas import PAIRS
from mien.storage.unfinished import unfinished_shards, write_outcome
from mien.tasks.sets.garbage import GarbageRules, delete_garbage, find_garbage

ROW = {
    "pair_id": "p",
    "identity_face_id": "i",
    "expression_face_id": "e",
    "seed": 1,
    "status": "ok",
}
AT_ONCE = GarbageRules(grace_hours=0)


def shard(root: Root, number: int) -> None:
    rows = [{name: ROW.get(name) for name in PAIRS.names} | {"seed": number}]
    write_shard(root, "pairs", fingerprint(number), pa.Table.from_pylist(rows, schema=PAIRS))


@pytest.fixture(params=["local", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Root:
    return Root(str(tmp_path) if request.param == "local" else f"memory://{uuid4().hex}")


def test_a_collection_refuses_beside_a_job_and_leaves_no_marker(root: Root) -> None:
    shard(root, 1)
    with storage_runs.job(root, "prepare six"), pytest.raises(StorageError, match=r"prepare six .* is at work in"):
        delete_garbage(root, AT_ONCE)
    assert root.list("runs") == []
    assert find_good_shard(root, "pairs", fingerprint(1)) is not None
    assert delete_garbage(root, AT_ONCE).files["pairs/shards"][0] == 1
    assert find_good_shard(root, "pairs", fingerprint(1)) is None


def test_two_collections_at_once_are_refused(root: Root) -> None:
    with storage_runs.collection(root, "first"), pytest.raises(StorageError, match=r"first .* is at work"):
        delete_garbage(root, AT_ONCE)


def test_a_job_waits_for_a_collection(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_runs, "_LOOK_S", 0.01)
    order: list[str] = []

    def work() -> None:
        with storage_runs.job(root, "prepare six"):
            order.append("job")

    with storage_runs.collection(root, "collect"):
        thread = threading.Thread(target=work)
        thread.start()
        time.sleep(0.2)
        order.append("collection")
    thread.join()
    assert order == ["collection", "job"]


def test_jobs_do_not_wait_for_each_other(root: Root) -> None:
    with storage_runs.job(root, "outer"), storage_runs.job(root, "inner"):
        assert len(root.list("runs")) == 1
    done: list[bool] = []

    def work() -> None:
        with storage_runs.job(root, "second"):
            done.append(len(root.list("runs")) == 2)

    with storage_runs.job(root, "first"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert done == [True]


def test_a_job_that_may_have_been_taken_for_dead_commits_nothing(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    shard(root, 1)
    with storage_runs.job(root, "prepare six"):
        found = find_good_shard(root, "pairs", fingerprint(1))
        assert found is not None
        table = commit(root, "pairs", [found], {})
        monkeypatch.setattr(storage_runs, "STALE_S", -1.0)  # as if it had been suspended for long
        with pytest.raises(ChangedError, match="no sign of life"):
            write_set(root, "six", {"pairs": table.fingerprint})
    assert set_names(root) == []


def test_the_marker_of_a_killed_run_is_passed_over_when_it_is_old(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    for content in (b'{"kind": "job", "what": "a", "host": "b", "pid": 1, "started": "c"}', b"damaged"):
        root.write_bytes("runs/dead.json", content)
        with pytest.raises(StorageError, match="at work"):
            delete_garbage(root, AT_ONCE)
        old = time.time() - storage_runs.STALE_S - 60
        os.utime(tmp_path / "runs" / "dead.json", (old, old))
        delete_garbage(root, AT_ONCE)
        assert root.list("runs") == []


def test_a_beat_that_somebody_took_for_stale_is_noticed(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_runs, "BEAT_S", 0.02)
    with storage_runs.job(root, "prepare six") as marker:
        root.delete(marker.path)
        deadline = time.monotonic() + 30
        while not marker.lapsed() and time.monotonic() < deadline:
            time.sleep(0.02)
        with pytest.raises(ChangedError):
            marker.check()
        assert root.list("runs") == []


class Slow(Root):
    """Waits a moment before each step, so that the steps of two runs come in any order."""

    def _pause(self) -> None:
        time.sleep(random.random() * 0.004)

    def write_bytes(self, path: str, data: bytes) -> None:
        self._pause()
        super().write_bytes(path, data)
        self._pause()

    def list(self, path: str) -> list[str]:
        self._pause()
        return super().list(path)

    def delete(self, path: str) -> None:
        self._pause()
        super().delete(path)


@pytest.mark.parametrize("seed", range(12))
def test_no_job_commits_a_shard_that_a_collection_deletes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Old shards that nobody holds; jobs find or make and commit them while collections run without a grace period."""
    monkeypatch.setattr(storage_runs, "_LOOK_S", 0.003)
    random.seed(seed)
    root = Slow(str(tmp_path))
    for number in range(8):
        shard(root, number)
    deleted: list[int] = []
    errors: list[BaseException] = []

    def one_job(number: int) -> None:
        try:
            time.sleep(random.random() * 0.05)
            with storage_runs.job(root, f"job {number}"):
                refs = []
                for each in (number, number + 1):
                    if find_good_shard(root, "pairs", fingerprint(each)) is None:
                        shard(root, each)
                    found = find_good_shard(root, "pairs", fingerprint(each))
                    assert found is not None
                    refs.append(found)
                    time.sleep(random.random() * 0.01)
                table = commit(root, "pairs", refs, {"job": number})
                write_set(root, f"set{number}", {"pairs": table.fingerprint})
        except BaseException as error:
            errors.append(error)

    def collect() -> None:
        for _ in range(6):
            time.sleep(random.random() * 0.02)
            try:
                deleted.append(sum(n for n, _ in delete_garbage(root, AT_ONCE).files.values()))
            except StorageError as error:
                if "at work" not in str(error):
                    errors.append(error)

    threads = [threading.Thread(target=one_job, args=(number,)) for number in (0, 2, 4)]
    threads += [threading.Thread(target=collect), threading.Thread(target=collect)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    for number in (0, 2, 4):
        assert open_table(root, "pairs", f"set{number}").to_table().num_rows == 2
    delete_garbage(root, AT_ONCE)
    assert find_garbage(root, AT_ONCE).files == {}
    for number in (0, 2, 4):
        assert open_table(root, "pairs", f"set{number}").to_table().num_rows == 2


def test_a_note_of_an_unfinished_shard_goes_with_the_shard(root: Root) -> None:
    failed = {**ROW, "status": "failed", "reason": "503", "failure": "source"}
    for number in (1, 2):
        rows = pa.Table.from_pylist([failed | {"seed": number}], schema=PAIRS)
        made = write_outcome(root, "pairs", fingerprint(number), rows, fingerprint("scope"))
    write_set(root, "set", {"pairs": commit(root, "pairs", [made], {"identities": {}, "expressions": {}}).fingerprint})
    assert len(unfinished_shards(root, fingerprint("scope"))) == 2
    delete_garbage(root, AT_ONCE)
    assert unfinished_shards(root, fingerprint("scope")) == [made.fingerprint]


def test_leases_that_were_left_go_when_they_are_older_than_any_that_is_beaten(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    for name in ("old", "young"):
        root.write_bytes(f"faces/leases/{fingerprint(name)}.json", b"left")
    root.write_bytes(f"faces/leases/.{fingerprint('old')}.json.1.tmp", b"half")
    old = time.time() - 3600
    for path in tmp_path.glob(f"faces/leases/*{fingerprint('old')}*"):
        os.utime(path, (old, old))
    assert find_garbage(root, GarbageRules()).files == {"faces/leases": (2, 8)}
    delete_garbage(root, GarbageRules())
    assert [file.name for file in root.files("faces/leases")] == [f"{fingerprint('young')}.json"]
    delete_garbage(root, AT_ONCE)
    assert root.files("faces/leases") == []
