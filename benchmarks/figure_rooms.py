"""The rooms of the code as a figure: packages in their layers, and the imports between them."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.layered import Layout, lay_out, narrowest_px
from benchmarks.rooms import House, imports_between_houses, read_houses
from benchmarks.svg import ACCENT, FAINT, INK, arrow, curve, figure, text

_NARROWEST, _EDGE, _SIDE, _BESIDE, _MARGIN = 1080, 20, 40, 50, 12
_ROW, _BOX, _TITLE, _GAP = 50, 30, 28, 30
_LEGEND = 110
_FRAME = "#9aa4b0"


@dataclass(frozen=True)
class _Drawn:
    """A house with its frame."""

    house: House
    layout: Layout
    left: float
    top: float
    width: float

    @property
    def height(self) -> float:
        ground = _BOX + 6 if self.house.ground else 0
        return _TITLE + _ROW * (len(self.house.layers) - 1) + _BOX + 14 + ground

    @property
    def bottom(self) -> float:
        return self.top + self.height

    @property
    def right(self) -> float:
        return self.left + self.width

    def y(self, name: str) -> float:
        """Top of a box."""
        return self.top + _TITLE + _ROW * self.layout.level(name)


def rooms() -> str:
    """SVG text."""
    houses = read_houses()
    needs = {name: _min_px(house) for name, house in houses.items()}
    inner = max(
        _NARROWEST - 2 * _EDGE, needs["flows"], needs["model"], _SIDE + needs["tasks"] + _BESIDE + needs["storage"]
    )
    spare = inner - _SIDE - needs["tasks"] - _BESIDE - needs["storage"]
    flows = _arranged(houses["flows"], _EDGE, _EDGE, inner)
    tasks = _arranged(houses["tasks"], _EDGE + _SIDE, flows.bottom + _GAP, needs["tasks"] + spare / 2)
    storage = _arranged(houses["storage"], tasks.right + _BESIDE, tasks.top, needs["storage"] + spare / 2)
    model = _arranged(houses["model"], _EDGE, max(tasks.bottom, storage.bottom + _LEGEND) + _GAP, inner)
    drawn = [flows, tasks, storage, model]
    shapes = [*(shape for house in drawn for shape in _house(house)), *_between(*drawn), *_legend(storage)]
    about = "the packages of the code in layers, and which imports which"
    return figure(round(inner + 2 * _EDGE), round(model.bottom + _EDGE), about, shapes)


def _min_px(house: House) -> float:
    return narrowest_px(house.layers, house.arrows, _box_px) + 2 * _MARGIN


def _arranged(house: House, left: float, top: float, width: float) -> _Drawn:
    return _Drawn(house, lay_out(house.layers, house.arrows, width - 2 * _MARGIN, _box_px), left, top, width)


def _box_px(name: str) -> float:
    return 8.1 * len(name) + 20


def _house(drawn: _Drawn) -> list[str]:
    house, layout, left = drawn.house, drawn.layout, drawn.left + _MARGIN
    shapes = [
        f'<rect x="{drawn.left:g}" y="{drawn.top:g}" width="{drawn.width:g}" height="{drawn.height:g}" rx="10" '
        f'fill="none" stroke="{_FRAME}"/>',
        text(drawn.left + _MARGIN, drawn.top + 20, f"{house.name}/", 16, ACCENT, 600, "start"),
    ]
    for way in layout.ways.values():
        points: list[tuple[float, float]] = [(left + layout.x[way[0]], drawn.y(way[0]) + _BOX)]
        for name in way[1:-1]:
            points += [(left + layout.x[name], drawn.y(name)), (left + layout.x[name], drawn.y(name) + _BOX)]
        shapes.append(curve([*points, (left + layout.x[way[-1]], drawn.y(way[-1]) - 1)]))
    for name in (room for layer in house.layers for room in layer):
        width = _box_px(name)
        shapes.append(_box(left + layout.x[name] - width / 2, drawn.y(name), width, name))
    if house.ground:
        words = f"{', '.join(house.ground)} (imported by many)"
        shapes.append(_box(left, drawn.bottom - _BOX - 8, drawn.width - 2 * _MARGIN, words, FAINT))
    return shapes


def _box(x: float, y: float, width: float, name: str, colour: str = INK) -> str:
    rect = f'<rect x="{x:.1f}" y="{y:g}" width="{width:.1f}" height="{_BOX}" rx="6" fill="#fff" stroke="{colour}"/>'
    return f"{rect}\n{text(round(x + width / 2, 1), y + 20, name, 14, colour)}"


def _between(flows: _Drawn, tasks: _Drawn, storage: _Drawn, model: _Drawn) -> list[str]:
    """A green arrow from frame to frame where one top-level package imports another."""
    centre, shared, side = tasks.left + tasks.width / 2, storage.left + storage.width / 2, _EDGE + _SIDE / 2
    across = storage.top + storage.height / 2
    ways = {
        ("flows", "tasks"): ((centre, flows.bottom), (centre, tasks.top - 2)),
        ("flows", "storage"): ((shared, flows.bottom), (shared, storage.top - 2)),
        ("flows", "model"): ((side, flows.bottom), (side, model.top - 2)),
        ("tasks", "storage"): ((tasks.right, across), (storage.left - 2, across)),
        ("tasks", "model"): ((centre, tasks.bottom), (centre, model.top - 2)),
    }
    return [arrow(*ways[pair], head="g") for pair in sorted(imports_between_houses())]


def _legend(storage: _Drawn) -> list[str]:
    lines = (
        ("green: one top-level folder imports another", ACCENT),
        ("grey: one package or module imports another;", FAINT),
        ("an arrow that a longer way implies is left out", FAINT),
        ("drawn by python -m benchmarks.figures", FAINT),
    )
    top = storage.bottom + 32
    return [
        text(storage.left + _MARGIN, top + 22 * n, words, 13.5, colour, at="start")
        for n, (words, colour) in enumerate(lines)
    ]
