"""Three steps at once, and what is in hand meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import pytest

from mien.tasks.runtime.pipelined import pipelined
from mien.tasks.runtime.reports import InHand, Report, report_to


@pytest.fixture
def said() -> Iterator[list[range]]:
    """What is in hand, in turn."""
    ranges: list[range] = []

    def note(report: Report) -> None:
        if isinstance(report, InHand):
            ranges.append(report.items)

    former = report_to(note)
    yield ranges
    report_to(former)


def made(batch: Sequence[int], seen: Sequence[int]) -> list[str]:
    return [f"{index}:{value}" for index, value in zip(batch, seen, strict=True)]


def test_each_item_has_its_result_in_order(said: list[range]) -> None:
    batches = [[0, 1], [3], [4, 7]]
    results = list(
        pipelined(batches, lambda batch: [10 * at for at in batch], lambda read: [v + 1 for v in read], made)
    )
    assert results == [(0, "0:1"), (1, "1:11"), (3, "3:31"), (4, "4:41"), (7, "7:71")]
    assert said == [range(2), range(4), range(8), range(3, 8)]


def test_no_batch_is_nothing(said: list[range]) -> None:
    assert list(pipelined([], list, list, made)) == []
    assert said == []


def test_the_next_batch_is_read_while_one_is_looked_at() -> None:
    both, alone = threading.Barrier(2, timeout=30), threading.Event()

    def read(batch: Sequence[int]) -> Sequence[int]:
        if batch[0] == 1:
            both.wait()
        return batch

    def look(batch: Sequence[int]) -> Sequence[int]:
        if batch[0] == 0:
            both.wait()  # breaks unless the second batch is being read
            alone.set()
        return batch

    assert len(list(pipelined([[0], [1]], read, look, made))) == 2
    assert alone.is_set()


@pytest.mark.parametrize("step", ["read", "look", "make"])
def test_an_error_of_a_step_ends_it(step: str) -> None:
    def fails(name: str):
        def run(*given: Sequence[int]) -> Sequence[int]:
            if name == step and given[0][0] == 2:
                raise ValueError(step)
            return given[-1]

        return run

    with pytest.raises(ValueError, match=step):
        list(pipelined([[0, 1], [2], [3]], fails("read"), fails("look"), fails("make")))
