"""Drivers in an order that a new one does not shuffle: each lies on circles, where its id alone puts it.

An identity enters a circle at a position that follows from its name, and takes the drivers that come next. Its name
gives it `ENTRIES` such positions, each on a circle of its own, and it enters at the first whose driver the identities
before it have not entered more often than others. A new driver comes between two others, and nearly all else stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int, UInt8, UInt32, UInt64

from mien.model.pair_hashes import mixed, name_hash

CIRCLES = 16
"""On one circle a driver with a wide gap before it would be used several times as often as another one. With so many,
the share of a driver differs by a quarter of the mean (standard deviation)."""


ENTRIES = 5
"""Positions among which an identity chooses. With one, many of 400 drivers in 400 pairs would come twice, many never:
their normalised entropy would be 0.90, and is 0.951. With more positions a new face changes more pairs."""
USUAL = 1.3
"""An identity keeps its first position whose driver was entered no more often than this many times the mean. So where
drivers are used many times each, which makes them even, hardly any identity has to look at the others."""


@dataclass(frozen=True)
class Entered:
    """The drivers of a group along a circle, from where an identity enters it."""

    order: Int[np.ndarray, " drivers"]
    """Rows of the drivers, around the circle."""
    first: int
    """Index of the one that comes first."""

    def take(self, position: int, count: int) -> Int[np.ndarray, " n"]:
        """`count` drivers from a position after the first on, or as many as the circle has left."""
        count = max(0, min(count, len(self.order) - position))
        return self.order[(self.first + position + np.arange(count)) % max(1, len(self.order))]


class Circles:
    """The drivers of each group on `CIRCLES` circles. Those that an identity enters are sorted when it does."""

    def __init__(
        self,
        hashes: UInt64[np.ndarray, " drivers"],
        groups: Sequence[str],
        rows: Sequence[Int[np.ndarray, " _"]],
        seed: int,
    ) -> None:
        """`rows` are the drivers of each of the groups."""
        self._hashes, self._rows = hashes, rows
        self._groups = np.concatenate([np.zeros(0, np.uint64), *(name_hash(f"group {name}", seed) for name in groups)])
        self._sorted: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}

    def turns(self, key: UInt64[np.ndarray, " 1"]) -> list[int]:
        """The groups in the order in which the identity with this hash takes from them."""
        return np.argsort(mixed(self._groups ^ mixed(key)), kind="stable").tolist()

    def slots(self, groups: Int[np.ndarray, " n"], numbers: Int[np.ndarray, " n"]) -> UInt64[np.ndarray, " n"]:
        """A hash for the `numbers`-th driver of each of the groups, whichever it is."""
        return mixed(self._groups[groups] ^ mixed(numbers.astype(np.uint64)))

    def enter(self, group: int, key: UInt64[np.ndarray, " 1"], entry: int = 0) -> Entered:
        """The circle of a group that the identity with this hash goes along, by the `entry`-th of its positions."""
        circles, starts = self._entries(group, key, entry)
        order, positions = self._circle(group, int(circles[0]))
        return Entered(order, int(np.searchsorted(positions, starts)[0]) % max(1, len(order)))

    def even_entries(
        self,
        keys: UInt64[np.ndarray, " identities"],
        is_own: Callable[[Int[np.ndarray, " identities"], Int[np.ndarray, " identities"]], Bool[np.ndarray, " n"]],
        former: Int[np.ndarray, "identities groups"],
    ) -> UInt8[np.ndarray, "identities groups"]:
        """Which of its entries each identity takes in each group, so that all drivers come first about equally often.

        `is_own` says of (index of an identity, row of a driver) whether the identity passes the driver over. `former`
        are the rows of the drivers that came first in a former plan: these stay first where they still can; -1 is none.
        """
        chosen = np.zeros((len(keys), len(self._groups)), np.uint8)
        order = np.argsort(keys, kind="stable")  # by their hashes: a new identity comes anywhere among the others
        for group, rows in enumerate(self._rows):
            if len(rows) < 2:
                continue
            firsts = [self._firsts(group, keys[order], entry) for entry in range(ENTRIES)]
            offered = np.column_stack([np.where(is_own(order, first), -1, first) for first in firsts])
            chosen[order, group] = _least_entered(offered, former[order, group], len(rows))
        return chosen

    def _firsts(self, group: int, keys: UInt64[np.ndarray, " n"], entry: int) -> Int[np.ndarray, " n"]:
        """The driver that comes first at the entry of each identity."""
        circles, starts = self._entries(group, keys, entry)
        firsts = np.zeros(len(keys), np.int64)
        for number in np.unique(circles).tolist():
            here = circles == number
            order, positions = self._circle(group, number)
            firsts[here] = order[np.searchsorted(positions, starts[here]) % len(order)]
        return firsts

    def _entries(
        self, group: int, keys: UInt64[np.ndarray, " n"], entry: int
    ) -> tuple[UInt64[np.ndarray, " n"], UInt32[np.ndarray, " n"]]:
        """Number of the circle, and position on it."""
        own = keys if entry == 0 else mixed(keys + np.uint64(entry))
        return own % np.uint64(CIRCLES), _upper_half(mixed(mixed(self._groups[group : group + 1]) ^ own))

    def _circle(self, group: int, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the drivers around the circle, and their positions."""
        if (group, number) not in self._sorted:
            rows = self._rows[group]
            positions = _upper_half(mixed(self._hashes[rows] ^ mixed(np.array([number], np.uint64))))
            order = np.argsort(positions, kind="stable")
            self._sorted[group, number] = rows[order].astype(np.int32), positions[order]
        return self._sorted[group, number]


def _least_entered(
    offered: Int[np.ndarray, "identities entries"], former: Int[np.ndarray, " identities"], drivers: int
) -> list[int]:
    """For each identity, in their order, the index of the first offered driver that was taken no more often than is
    usual by then; where all were, of the one that was taken least. Where -1 stands no driver is offered.

    Who is offered the driver of before keeps it, and comes before the others.
    """
    kept = (offered == former[:, None]) & (former[:, None] >= 0)
    stays, entries = kept.any(1), kept.argmax(1)
    numbers = np.unique(offered, return_inverse=True)[1].reshape(offered.shape)
    times = [0] * (int(numbers.max(initial=0)) + 1)
    if (offered < 0).any():
        times[0] = 2**62  # the smallest number is that of -1
    for number in numbers[stays, entries[stays]].tolist():
        times[number] += 1
    chosen: list[int] = entries.tolist()
    for taken, one in enumerate(np.flatnonzero(~stays).tolist(), start=int(stays.sum())):
        of_one: list[int] = numbers[one].tolist()
        counts = [times[number] for number in of_one]
        usual = int(taken * USUAL / drivers)
        entry = next((entry for entry, count in enumerate(counts) if count <= usual), counts.index(min(counts)))
        times[of_one[entry]] += 1
        chosen[one] = entry
    return chosen


def _upper_half(hashes: UInt64[np.ndarray, " n"]) -> UInt32[np.ndarray, " n"]:
    """The upper 32 bits: a million drivers on all circles take 128 MB with them."""
    return (hashes >> np.uint64(32)).astype(np.uint32)
