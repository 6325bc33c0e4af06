"""Which pairs go through the generator together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from mien.storage.rows import PairRow
from mien.tasks.transfer.pair_faces import further_ids

BATCH = 16
"""Pairs that go through the generator at once. Always so many: libraries may round differently in a batch of another
size, and a face is to have the same bytes whatever it was made beside."""

T = TypeVar("T")


def in_batches(pairs: Mapping[int, PairRow]) -> list[list[int]]:
    """The indices of pairs that go together: a batch has one number of sources, so that a face does not depend on how
    many the others have. Those with fewer sources come first."""
    groups: dict[int, list[int]] = {}
    for index, pair in pairs.items():
        groups.setdefault(len(further_ids(pair)), []).append(index)
    return [of[start : start + BATCH] for _, of in sorted(groups.items()) for start in range(0, len(of), BATCH)]


def span(batches: Sequence[Sequence[int]]) -> range:
    """A range that has all of their items."""
    items = [item for batch in batches for item in batch]
    return range(min(items), max(items) + 1)


def filled(values: Sequence[T]) -> list[T]:
    """As many as go through the generator at once: the last one fills up."""
    return [*values, *[values[-1]] * (BATCH - len(values))]
