"""Drivers in an order that a new one does not shuffle: each lies on circles, where its id alone puts it.

An identity enters a circle at a position that follows from its name, and takes the drivers that come next. A new driver
comes between two others, and all else stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, UInt64

from mien.model.pair_hashes import mixed, name_hash

CIRCLES = 16
"""On one circle a driver with a wide gap before it would be used several times as often as another one. With so many,
the share of a driver differs by a quarter of the mean (standard deviation)."""


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

    def enter(self, group: int, key: UInt64[np.ndarray, " 1"]) -> Entered:
        """The circle of a group that the identity with this hash goes along."""
        start = _upper_half(mixed(mixed(self._groups[group : group + 1]) ^ key))
        order, positions = self._circle(group, int(key[0] % CIRCLES))
        return Entered(order, int(np.searchsorted(positions, start)[0]) % max(1, len(order)))

    def _circle(self, group: int, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the drivers around the circle, and their positions."""
        if (group, number) not in self._sorted:
            rows = self._rows[group]
            positions = _upper_half(mixed(self._hashes[rows] ^ mixed(np.array([number], np.uint64))))
            order = np.argsort(positions, kind="stable")
            self._sorted[group, number] = rows[order].astype(np.int32), positions[order]
        return self._sorted[group, number]


def _upper_half(hashes: UInt64[np.ndarray, " n"]) -> np.ndarray:
    """The upper 32 bits: a million drivers on all circles take 128 MB with them."""
    return (hashes >> np.uint64(32)).astype(np.uint32)
