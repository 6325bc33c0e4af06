"""Items read by several threads, some ahead of where they are used, and given in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
Read = TypeVar("Read")


def read_ahead(items: Iterable[T], read: Callable[[T], Read], at_once: int) -> Iterator[tuple[T, Read]]:
    """(an item, what was read of it) in the order of the items. No more than `at_once` are in memory unused."""
    left = iter(items)
    with ThreadPoolExecutor(at_once) as threads:
        ahead: deque[tuple[T, Future[Read]]] = deque()
        try:
            ahead.extend((item, threads.submit(read, item)) for item in islice(left, at_once))
            while ahead:
                item, reading = ahead.popleft()
                yield item, reading.result()
                ahead.extend((following, threads.submit(read, following)) for following in islice(left, 1))
        finally:
            threads.shutdown(wait=True, cancel_futures=True)
