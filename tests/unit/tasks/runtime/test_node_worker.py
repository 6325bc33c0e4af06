"""The part of a node: what it looks at before it works, and how it tells of the work."""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mien.tasks.runtime.limits import WorkLimits
from mien.tasks.runtime.node_worker import Answer, NodeWorker, Seen
from mien.tasks.runtime.reports import in_hand, tick
from mien.tasks.runtime.worker_process import Allowed, WorkerDiedError

ALLOWED = Allowed(60, 4096)


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NodeWorker]:
    monkeypatch.chdir(tmp_path)
    made = NodeWorker(WorkLimits(), Seen("root", "runs/x.json", str(tmp_path)))
    yield made
    if made._process is not None:
        made._process.end()


def said(node: NodeWorker, work: Callable[[], Any]) -> tuple[float, Answer]:
    """The units that were told of, and the answer."""
    *units, answer = node.call(pickle.dumps(work), ALLOWED)
    assert isinstance(answer, Answer)
    return sum(unit for unit in units if not isinstance(unit, Answer)), answer


def count(number: int) -> tuple[int, int, bool]:
    for _ in range(number):
        tick()
    return number, os.getpid(), "ray" in sys.modules


def fail() -> None:
    raise ValueError("the work's own error")


def die_of(item: int) -> None:
    tick(3)
    in_hand(range(item, item + 1))
    os.kill(os.getpid(), signal.SIGSEGV)


def test_work_runs_in_a_process_of_its_own_which_stays(node: NodeWorker) -> None:
    units, first = said(node, partial(count, 4))
    assert (units, first.error) == (4, None)
    assert first.result[0] == 4
    assert first.result[1] != os.getpid()
    assert said(node, partial(count, 1))[1].result[1] == first.result[1]


def test_an_error_of_the_work_is_an_answer(node: NodeWorker) -> None:
    _, answer = said(node, fail)
    assert isinstance(answer.error, ValueError)
    assert str(answer.error) == "the work's own error"


def test_a_death_says_what_was_in_hand_and_the_next_work_has_another_process(node: NodeWorker) -> None:
    _, before = said(node, partial(count, 1))
    units, answer = said(node, partial(die_of, 7))
    death = pickle.loads(pickle.dumps(answer.error))  # as it comes to the driver
    assert isinstance(death, WorkerDiedError)
    assert (death.cause, death.detail, death.in_hand) == ("crash", "SIGSEGV", range(7, 8))
    assert str(death) == str(answer.error)
    assert units == 0, "what it had done is to be done again"
    assert said(node, partial(count, 1))[1].result[1] != before.result[1]


def test_a_node_that_sees_the_marker_is_of_use_from_the_folder_of_the_driver(
    node: NodeWorker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "root" / "runs").mkdir(parents=True)
    (tmp_path / "root" / "runs" / "x.json").touch()
    monkeypatch.chdir("/")
    assert node.look()[1] is None


def test_a_node_that_sees_another_root_says_so(node: NodeWorker, tmp_path: Path) -> None:
    problem = str(node.look()[1])
    assert problem.startswith("does not see root: take a folder that all nodes share")
    (tmp_path / "root").touch()
    assert node.look()[1] is not None


def test_a_node_that_cannot_read_the_root_says_why(tmp_path: Path) -> None:
    problem = str(NodeWorker(WorkLimits(), Seen("nowhere://x", "runs/x.json", str(tmp_path))).look()[1])
    assert problem.startswith("does not reach the root: nowhere://x has an unknown protocol")
