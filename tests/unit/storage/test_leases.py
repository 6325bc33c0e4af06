"""Leases: one holder at a time, dead ones taken over by one, and nothing that can go wrong with them stops the work."""

from __future__ import annotations

import dataclasses
import json
import logging
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from mien.storage import Root, TransientError, fingerprint, lease_files
from mien.storage import leases as storage_leases
from mien.storage.lease_files import clear_leases, lease_path, leased_names, past_notes
from mien.storage.lease_text import new_text, parsed_text
from mien.storage.leases import LEASE_S, Held, Lease, MadeElsewhere, end_leases, holder, leased

NAME = fingerprint("shard")
PATH = lease_path("pairs", NAME)
FAR_S = 600.0
"""Clocks of machines may be so far apart."""


@pytest.fixture(params=["local", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Root:
    return Root(str(tmp_path) if request.param == "local" else f"memory://{uuid4().hex}")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The monotonic clock of this process, which a test moves on."""
    moved = SimpleNamespace(now_s=1000.0)
    ticking = SimpleNamespace(monotonic=lambda: moved.now_s, sleep=time.sleep)
    monkeypatch.setattr(storage_leases, "time", ticking)
    monkeypatch.setattr(lease_files, "time", ticking)
    return moved


def taken(root: Root) -> str:
    """Takes the lease for a moment: what came of it."""
    with leased(root, "pairs", NAME, "make pairs") as lease:
        if isinstance(lease, Held):
            return f"held by {lease.by}"
        assert isinstance(lease, Lease)
        return "taken" if lease.has_file else "without a file"


def of_another_machine(beat: int = 0, **changed: Any) -> bytes:
    text = dataclasses.replace(new_text("make pairs", LEASE_S), machine="far/1/2", host="far", process="p", beat=beat)
    return dataclasses.replace(text, **{"holder": "h"} | changed).data()


# --- One holder -------------------------------------------------------------------------------------------------------


def test_a_lease_is_there_while_its_block_runs(root: Root) -> None:
    with leased(root, "pairs", NAME, "make pairs") as lease:
        assert isinstance(lease, Lease)
        assert lease.has_file
        assert leased_names(root, "pairs") == {NAME}
        assert taken(root) == "held by make pairs in this process"
        assert isinstance(holder(root, "pairs", NAME), Held)
    assert leased_names(root, "pairs") == set()
    assert holder(root, "pairs", NAME) is None
    assert taken(root) == "taken"


def test_a_lease_ends_with_an_error_of_its_block(root: Root) -> None:
    with pytest.raises(ZeroDivisionError), leased(root, "pairs", NAME, "make pairs"):
        raise ZeroDivisionError
    assert taken(root) == "taken"


def test_a_lease_names_its_holder_and_no_time(root: Root) -> None:
    with leased(root, "pairs", NAME, "make pairs"):
        content = json.loads(root.read_bytes(PATH))
    assert (content["what"], content["pid"], content["beat"], content["lease_s"]) == ("make pairs", os.getpid(), 0, 120)
    assert not [value for value in content.values() if isinstance(value, float) and value > 10**6]


def take_in_another(root: str, told: Any, go_on: Any) -> None:
    with ExitStack() as held:
        lease = held.enter_context(leased(Root(root), "pairs", NAME, "make pairs"))
        told.put(isinstance(lease, Lease))
        go_on.wait(60)
    told.put(None)


def test_of_several_processes_one_takes_it(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("fork")
    told, go_on = spawn.Queue(), spawn.Event()
    processes = [spawn.Process(target=take_in_another, args=(str(tmp_path), told, go_on)) for _ in range(6)]
    for process in processes:
        process.start()
    got = [told.get(timeout=60) for _ in processes]
    go_on.set()
    for process in processes:
        process.join(60)
    assert sorted(got) == [False] * 5 + [True]
    assert leased_names(Root(str(tmp_path)), "pairs") == set()


# --- Dead ones --------------------------------------------------------------------------------------------------------


def test_the_lease_of_a_dead_process_of_this_machine_is_taken_at_once(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    script = (
        "import os, sys\nfrom mien.storage import Root\nfrom mien.storage.leases import leased\n"
        f"with leased(Root(sys.argv[1]), 'pairs', {NAME!r}, 'die'):\n    os._exit(9)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert leased_names(root, "pairs") == {NAME}
    assert holder(root, "pairs", NAME) is None
    assert taken(root) == "taken"


def test_a_process_with_the_number_of_the_dead_one_is_another(root: Root) -> None:
    mine = parsed_text(new_text("make pairs", LEASE_S).data())
    assert mine is not None
    root.write_bytes(PATH, dataclasses.replace(mine, process="former", begun=mine.begun - 1).data())
    assert taken(root) == "taken"
    root.write_bytes(PATH, dataclasses.replace(mine, process="other").data())
    assert taken(root).startswith("held by make pairs (process ")


@pytest.mark.parametrize("apart_s", [-FAR_S, 0.0, FAR_S])
def test_a_lease_of_another_machine_counts_until_it_was_the_same_for_long(
    tmp_path: Path, clock: SimpleNamespace, apart_s: float
) -> None:
    root = Root(str(tmp_path))
    for beat in range(3):  # it lives, whatever the clock of its machine says
        root.write_bytes(PATH, of_another_machine(beat))
        os.utime(tmp_path / PATH, (time.time() + apart_s, time.time() + apart_s))
        assert taken(root) == f"held by make pairs (process {os.getpid()} on far)"
        clock.now_s += LEASE_S - 1
        assert isinstance(holder(root, "pairs", NAME), Held)
    clock.now_s += 1
    assert holder(root, "pairs", NAME) is None
    assert taken(root) == "taken"


def test_a_lease_says_itself_for_how_long_it_counts(root: Root, clock: SimpleNamespace) -> None:
    root.write_bytes(PATH, of_another_machine(lease_s=200.0))
    assert taken(root).startswith("held")
    clock.now_s += 199
    assert taken(root).startswith("held")
    clock.now_s += 1
    assert taken(root) == "taken"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\xff garbage",
        b"[]",
        b"[" * 10_000,
        b'{"format": 1}',
        of_another_machine(format=2),
        of_another_machine(lease_s=1e9),
        of_another_machine(lease_s=float("nan")),
        of_another_machine(pid="many"),
    ],
    ids=["empty", "garbage", "list", "deep", "half", "other version", "for ever", "nan", "words"],
)
def test_a_lease_that_nobody_can_read_runs_out_as_any_other(root: Root, clock: SimpleNamespace, content: bytes) -> None:
    root.write_bytes(PATH, content)
    assert taken(root) == "held by a run whose lease cannot be read"
    clock.now_s += LEASE_S - 1
    assert taken(root).startswith("held")
    clock.now_s += 1
    assert taken(root) == "taken"
    assert leased_names(root, "pairs") == set()


def test_of_several_readers_of_a_dead_lease_one_has_it(root: Root, clock: SimpleNamespace) -> None:
    """Threads, for which the process's own exclusion is put aside."""
    for turn in range(20):
        root.write_bytes(PATH, of_another_machine(turn))
        assert holder(root, "pairs", NAME) is not None
        clock.now_s += LEASE_S
        start, got = threading.Barrier(4), list[bool]()

        def one(start: threading.Barrier = start, got: list[bool] = got) -> None:
            start.wait()
            got.append(isinstance(storage_leases._taken(root, PATH, "make pairs"), Lease))  # pyright: ignore[reportPrivateUsage]

        threads = [threading.Thread(target=one) for _ in range(4)]
        with pytest.MonkeyPatch.context() as patch:  # they are of one process, and stand for four
            patch.setattr("mien.storage.lease_text.LeaseText.is_of_this_process", False)
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert sum(got) == 1
        root.delete(PATH)


# --- Faults -----------------------------------------------------------------------------------------------------------


def test_a_holder_that_was_suspended_for_long_leaves_the_lease_to_who_took_it(
    root: Root, clock: SimpleNamespace
) -> None:
    with leased(root, "pairs", NAME, "make pairs") as lease:
        assert isinstance(lease, Lease)
        clock.now_s += 2 * LEASE_S
        root.write_bytes(PATH, of_another_machine())
        lease.beat()
        assert not lease.has_file
        assert root.read_bytes(PATH) == of_another_machine()
    assert root.read_bytes(PATH) == of_another_machine()


def test_a_holder_that_ends_late_without_a_beat_compares_first(root: Root, clock: SimpleNamespace) -> None:
    with leased(root, "pairs", NAME, "make pairs"):
        clock.now_s += 2 * LEASE_S
        root.write_bytes(PATH, of_another_machine())
    assert root.read_bytes(PATH) == of_another_machine()


def test_a_beat_that_meets_an_outage_is_made_good_by_the_next(
    root: Root, clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise TransientError("the root is away")

    with leased(root, "pairs", NAME, "make pairs") as lease:
        assert isinstance(lease, Lease)
        for method in ("read_bytes", "write_bytes"):
            with monkeypatch.context() as outage:
                outage.setattr(Root, method, away)
                with pytest.raises(TransientError):
                    lease.beat()
        lease.beat()
        assert json.loads(root.read_bytes(PATH))["beat"] == 1
    assert leased_names(root, "pairs") == set()


def test_a_thread_beats_what_is_in_hand(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_leases, "BEAT_S", 0.01)
    monkeypatch.setattr(storage_leases, "_of_this_process", storage_leases._Hands())  # pyright: ignore[reportPrivateUsage]
    with leased(root, "pairs", NAME, "make pairs"):
        until = time.monotonic() + 60
        while json.loads(root.read_bytes(PATH))["beat"] < 3 and time.monotonic() < until:
            time.sleep(0.01)
        assert json.loads(root.read_bytes(PATH))["beat"] >= 3
    assert leased_names(root, "pairs") == set()


def test_a_lease_that_could_not_be_deleted_is_this_process_s_to_take(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise TransientError("the root is away")

    with monkeypatch.context() as outage, leased(root, "pairs", NAME, "make pairs"):
        outage.setattr(Root, "delete", away)
    assert leased_names(root, "pairs") == {NAME}
    assert holder(root, "pairs", NAME) is None
    assert taken(root) == "taken"


def test_an_answer_that_was_lost_leaves_the_lease_with_who_wrote_it(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = Root.create_bytes

    def create_and_forget(self: Root, path: str, data: bytes) -> bool:
        create(self, path, data)
        return create(self, path, data)  # as a library that asks again

    monkeypatch.setattr(Root, "create_bytes", create_and_forget)
    assert taken(root) == "taken"


def test_where_no_lease_can_be_written_the_work_goes_on_without(
    root: Root, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(self: Root, path: str, _data: bytes) -> bool:
        raise storage_leases.StorageError(f"access to {self.uri(path)} was refused: check the permissions")

    monkeypatch.setattr(Root, "create_bytes", refused)
    with caplog.at_level(logging.WARNING):
        assert [taken(root), taken(root)] == ["without a file"] * 2
    (line,) = caplog.messages
    assert line.endswith("without leases, runs at the same time may make a shard twice")


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_worked_in_without_leases(tmp_path: Path) -> None:
    (tmp_path / "pairs" / "leases").mkdir(parents=True)
    (tmp_path / "pairs" / "leases").chmod(0o500)
    assert taken(Root(str(tmp_path))) == "without a file"


def test_a_file_where_the_folder_should_be_is_worked_beside(tmp_path: Path) -> None:
    (tmp_path / "pairs").mkdir()
    (tmp_path / "pairs" / "leases").touch()
    assert taken(Root(str(tmp_path))) == "without a file"


# --- Notes ------------------------------------------------------------------------------------------------------------


def note(root: Root, made: str) -> None:
    """As a run leaves it that has made the shard under another name."""
    with leased(root, "pairs", NAME, "make pairs", "") as lease:
        assert isinstance(lease, Lease)
        lease.made = made


def test_runs_of_one_job_learn_what_a_shard_is_called(root: Root) -> None:
    note(root, "other name")
    assert holder(root, "pairs", NAME) is None
    with leased(root, "pairs", NAME, "make pairs", "") as found:
        assert found == MadeElsewhere("other name")
    assert leased_names(root, "pairs") == {NAME}


def test_a_note_that_was_there_before_the_run_counts_as_none(root: Root) -> None:
    note(root, "other name")
    past = past_notes(root, "pairs", {NAME, fingerprint("without")})
    assert set(past) == {NAME}
    with leased(root, "pairs", NAME, "make pairs", past[NAME]) as lease:
        assert isinstance(lease, Lease)
        lease.made = "third name"
    with leased(root, "pairs", NAME, "make pairs", past[NAME]) as found:
        assert found == MadeElsewhere("third name")


def test_a_run_that_is_no_rank_takes_no_notice_of_notes(root: Root) -> None:
    note(root, "other name")
    assert taken(root) == "taken"
    assert leased_names(root, "pairs") == set()


def test_notes_stay_for_the_other_runs_of_a_job_and_go_with_the_next_one(root: Root) -> None:
    note(root, "other name")
    clear_leases(root, "pairs", {NAME}, {})
    assert leased_names(root, "pairs") == {NAME}
    clear_leases(root, "pairs", {NAME}, past_notes(root, "pairs", {NAME}))
    assert leased_names(root, "pairs") == set()
    note(root, "other name")
    clear_leases(root, "pairs", {NAME})
    assert leased_names(root, "pairs") == set()


# --- What is left -----------------------------------------------------------------------------------------------------


def test_what_is_left_of_made_shards_is_cleared_and_the_rest_stays(root: Root) -> None:
    other = fingerprint("other")
    for name in (NAME, other):
        root.write_bytes(lease_path("pairs", name), of_another_machine())
    clear_leases(root, "pairs", {NAME, fingerprint("without a lease")})
    assert leased_names(root, "pairs") == {other}


def test_all_leases_of_a_process_that_ends_are_ended(root: Root) -> None:
    with leased(root, "pairs", NAME, "one"), leased(root, "pairs", fingerprint("other"), "other"):
        end_leases()
        assert leased_names(root, "pairs") == set()
