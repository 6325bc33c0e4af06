"""Arranges boxes in layers and leads arrows between them: few crossings, always the same for the same input.

An arrow over several layers gets a narrow stand-in in each layer that it passes, so that it runs between the boxes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

Arrow = tuple[str, str]

_SWEEPS = 12
_PASSING_PX = 16.0
_GAP_PX = 16.0


@dataclass(frozen=True)
class Layout:
    """Where boxes and arrows lie, in pixels from the left edge; layers count from the top."""

    layers: tuple[tuple[str, ...], ...]
    """Boxes and stand-ins from left to right."""
    x: Mapping[str, float]
    """The middle of each."""
    ways: Mapping[Arrow, tuple[str, ...]]
    """What an arrow runs through: its start, stand-ins, its end."""

    def level(self, name: str) -> int:
        """The layer of a box or stand-in."""
        return next(level for level, layer in enumerate(self.layers) if name in layer)


def lay_out(
    layers: Sequence[Sequence[str]], arrows: Iterable[Arrow], width_px: float, box_px: Callable[[str], float]
) -> Layout:
    """Boxes centred in a width.

    Args:
        layers: Names from top to bottom.
        arrows: Pairs of names; the first lies in a higher layer.
        width_px: Of the whole drawing.
        box_px: Width of a box by its name.
    """
    rows, ways = _with_stand_ins(layers, sorted(arrows))
    widths = _widths(layers, rows, box_px)
    steps = [(a, b) for way in ways.values() for a, b in pairwise(way)]
    rows = _fewest_crossings(rows, steps)
    return Layout(tuple(map(tuple, rows)), _positions(rows, steps, widths, width_px), ways)


def narrowest_px(layers: Sequence[Sequence[str]], arrows: Iterable[Arrow], box_px: Callable[[str], float]) -> float:
    """The least width in which nothing meets."""
    rows, _ = _with_stand_ins(layers, sorted(arrows))
    widths = _widths(layers, rows, box_px)
    return max(sum(widths[name] for name in row) + _GAP_PX * (len(row) - 1) for row in rows)


def _widths(
    layers: Sequence[Sequence[str]], rows: Sequence[Sequence[str]], box_px: Callable[[str], float]
) -> dict[str, float]:
    boxes = {name for layer in layers for name in layer}
    return {name: box_px(name) if name in boxes else _PASSING_PX for row in rows for name in row}


def _with_stand_ins(
    layers: Sequence[Sequence[str]], arrows: Sequence[Arrow]
) -> tuple[list[list[str]], dict[Arrow, tuple[str, ...]]]:
    rows = [list(layer) for layer in layers]
    level = {name: number for number, layer in enumerate(layers) for name in layer}
    ways: dict[Arrow, tuple[str, ...]] = {}
    for start, end in arrows:
        passed = {number: f"{start}→{end} {number}" for number in range(level[start] + 1, level[end])}
        for number, name in passed.items():
            rows[number].append(name)
        ways[start, end] = (start, *passed.values(), end)
    return rows, ways


def _fewest_crossings(rows: list[list[str]], steps: Sequence[Arrow]) -> list[list[str]]:
    """Rows sorted by the mean position of their neighbours, down and up in turns; the best of all sweeps."""
    best = rows
    for sweep in range(_SWEEPS):
        downwards = sweep % 2 == 0
        order = list(range(1, len(rows))) if downwards else list(range(len(rows) - 2, -1, -1))
        rows = [list(row) for row in rows]
        for number in order:
            beside = rows[number - 1] if downwards else rows[number + 1]
            rows[number] = _by_neighbours(rows[number], beside, steps)
        if _crossings(rows, steps) < _crossings(best, steps):
            best = rows
    return best


def _by_neighbours(row: Sequence[str], beside: Sequence[str], steps: Sequence[Arrow]) -> list[str]:
    share = {name: number / max(len(beside) - 1, 1) for number, name in enumerate(beside)}

    def mean(name: str) -> float:
        found = [share[b] for a, b in steps if a == name and b in share]
        found += [share[a] for a, b in steps if b == name and a in share]
        return sum(found) / len(found) if found else row.index(name) / max(len(row) - 1, 1)

    return sorted(row, key=mean)


def _crossings(rows: Sequence[Sequence[str]], steps: Sequence[Arrow]) -> int:
    index = {name: number for row in rows for number, name in enumerate(row)}
    level = {name: number for number, row in enumerate(rows) for name in row}
    return sum(
        level[a] == level[c] and (index[a] - index[c]) * (index[b] - index[d]) < 0
        for n, (a, b) in enumerate(steps)
        for c, d in steps[:n]
    )


def _positions(
    rows: Sequence[Sequence[str]], steps: Sequence[Arrow], widths: Mapping[str, float], width_px: float
) -> dict[str, float]:
    """Each near the middle of its neighbours, as far as the others of its row leave room."""
    x: dict[str, float] = {}
    for row in rows:
        free = (width_px - sum(widths[name] for name in row)) / (len(row) + 1)
        left = free
        for name in row:
            x[name] = left + widths[name] / 2
            left += widths[name] + free
    for _ in range(_SWEEPS):
        for row in rows:
            _spread(row, x, {name: _wish(name, steps, x) for name in row}, widths, width_px)
    left, right = min(x[name] - widths[name] / 2 for name in x), max(x[name] + widths[name] / 2 for name in x)
    return {name: middle + (width_px - left - right) / 2 for name, middle in x.items()}


def _wish(name: str, steps: Sequence[Arrow], x: Mapping[str, float]) -> float:
    beside = [x[b] for a, b in steps if a == name] + [x[a] for a, b in steps if b == name]
    return sum(beside) / len(beside) if beside else x[name]


def _spread(
    row: Sequence[str], x: dict[str, float], wishes: Mapping[str, float], widths: Mapping[str, float], width_px: float
) -> None:
    """Moves a row towards its wishes, from both sides, and keeps the mean of the two."""
    from_left, from_right, edge = {}, {}, 0.0
    for name in row:
        from_left[name] = max(wishes[name], edge + widths[name] / 2)
        edge = from_left[name] + widths[name] / 2 + _GAP_PX
    edge = width_px
    for name in reversed(row):
        from_right[name] = min(wishes[name], edge - widths[name] / 2)
        edge = from_right[name] - widths[name] / 2 - _GAP_PX
    edge = 0.0
    for name in row:
        x[name] = max((from_left[name] + from_right[name]) / 2, edge + widths[name] / 2)
        edge = x[name] + widths[name] / 2 + _GAP_PX
    over = edge - _GAP_PX - width_px
    if over > 0:
        for name in row:
            x[name] -= over / 2
