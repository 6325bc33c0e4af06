"""Shapes of a figure as SVG text. Numbers are written with one decimal, so that a figure is the same everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

INK, FAINT, PAPER, ACCENT, DRAWN = "#1b1f24", "#5c6570", "#f5f6f8", "#18794e", "#b3541e"
_ARROWS = {"a": (FAINT, 7), "g": (ACCENT, 7), "s": (ACCENT, 4), "d": (DRAWN, 7)}
"""Colours and sizes of arrow heads by their id."""


def figure(width: int, height: int, about: str, shapes: Iterable[str]) -> str:
    """A whole file."""
    heads = "".join(
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="{size}" markerHeight="{size}" '
        f'orient="auto"><path d="M0 0L8 4L0 8z" fill="{colour}"/></marker>'
        for name, (colour, size) in _ARROWS.items()
    )
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{about}" '
        'font-family="system-ui, sans-serif">',
        f"<defs>{heads}</defs>",
        f'<rect width="{width}" height="{height}" rx="10" fill="{PAPER}"/>',
        *shapes,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def text(
    x: float, y: float, words: str, size: float = 13, colour: str = INK, weight: int = 400, at: str = "middle"
) -> str:
    """One line of words."""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" font-weight="{weight}" text-anchor="{at}" '
        f'fill="{colour}">{words}</text>'
    )


def box(x: float, y: float, width: float, height: float, words: Sequence[str], colour: str = INK) -> str:
    """A box with a title and smaller lines below it."""
    top = y + height / 2 - 8 * (len(words) - 1) + 4.5
    lines = [text(x + width / 2, top, words[0], 14, INK, 600)]
    lines += [text(x + width / 2, top + 16 * n, line, 11.5, FAINT) for n, line in enumerate(words[1:], 1)]
    rect = f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="8" fill="#fff" stroke="{colour}"/>'
    return "\n".join([rect, *lines])


def arrow(*points: tuple[float, float], head: str = "a", dashed: bool = False) -> str:
    """A line through points, with a head at its end."""
    path = "M" + "L".join(f"{x:g} {y:g}" for x, y in points)
    dashes = ' stroke-dasharray="5 4"' if dashed else ""
    return f'<path d="{path}" fill="none" stroke="{_ARROWS[head][0]}"{dashes} marker-end="url(#{head})"/>'


def curve(points: Sequence[tuple[float, float]], head: str = "a") -> str:
    """A smooth line through points that lie below one another, with a head at its end; it leaves each downwards."""
    path = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for (x0, y0), (x1, y1) in pairwise(points):
        middle = (y0 + y1) / 2
        path += f"C{x0:.1f} {middle:.1f} {x1:.1f} {middle:.1f} {x1:.1f} {y1:.1f}"
    return f'<path d="{path}" fill="none" stroke="{_ARROWS[head][0]}" marker-end="url(#{head})"/>'


def outline(points: np.ndarray, close: bool = True) -> str:
    """The path through points (n × 2) of the figure."""
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points.tolist()) + ("z" if close else "")
