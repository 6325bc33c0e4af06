"""Items are read some ahead, and given in their order."""

from __future__ import annotations

import threading

import pytest

from mien.tasks.runtime.read_ahead import read_ahead


def test_items_come_in_their_order_and_not_too_many_are_read() -> None:
    begun: list[int] = []
    second = threading.Event()

    def read(item: int) -> int:
        begun.append(item)
        if item == 0:
            assert second.wait(60)  # the first one takes longest
        second.set()
        return item * item

    out = list[tuple[int, int]]()
    for item, value in read_ahead(iter(range(20)), read, 3):
        assert len(begun) <= item + 3
        out.append((item, value))
    assert out == [(n, n * n) for n in range(20)]
    assert list(read_ahead([], read, 3)) == []


def test_an_error_comes_where_its_item_would() -> None:
    def read(item: int) -> int:
        if item == 2:
            raise OSError("the second shard")
        return item

    reading = read_ahead(range(100), read, 2)
    assert [next(reading), next(reading)] == [(0, 0), (1, 1)]
    with pytest.raises(OSError, match="the second shard"):
        next(reading)


def test_who_stops_early_reads_no_further() -> None:
    begun: list[int] = []
    for item, _ in read_ahead(range(1000), begun.append, 4):
        if item == 5:
            break
    assert len(begun) <= 10
