"""The rooms of the code, read from the code: packages, their layers in pyproject.toml, which imports which."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grimp

PROJECT = Path(__file__).parents[1]
PACKAGE = "mien"

GROUND = ("errors", "parameters", "result")
"""Modules that nearly every room of their house imports: arrows to them would hide all others."""

Arrow = tuple[str, str]
"""Importer and imported."""


@dataclass(frozen=True)
class House:
    """A top-level package and the rooms in it."""

    name: str
    layers: tuple[tuple[str, ...], ...]
    """Rooms from top to bottom; an import goes down."""
    arrows: frozenset[Arrow]
    """Imports between rooms, without those that a longer way implies."""
    ground: tuple[str, ...] = ()
    """Modules that every room may import. They have no arrows."""


def read_houses() -> dict[str, House]:
    """The four houses by their names.

    Raises:
        ValueError: a room imports one that does not lie below it.
    """
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    kept = _contract_layers()
    return {name: _read_house(graph, name, kept.get(name)) for name in ("flows", "tasks", "model", "storage")}


def imports_between_houses() -> frozenset[Arrow]:
    """Which top-level package imports which."""
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    pairs = ((_part(importer, 1), _part(imported, 1)) for importer, imported in _imports(graph))
    return frozenset((a, b) for a, b in pairs if a and b and a != b)


def _contract_layers() -> dict[str, list[list[str]]]:
    """The layers that import-linter enforces in a package, by the package's name."""
    settings: dict[str, Any] = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    kept: dict[str, list[list[str]]] = {}
    for contract in settings["tool"]["importlinter"]["contracts"]:
        for container in contract.get("containers", []):
            kept[_part(container, 1)] = [[room.strip() for room in layer.split("|")] for layer in contract["layers"]]
    return kept


def _read_house(graph: grimp.ImportGraph, name: str, layers: list[list[str]] | None) -> House:
    rooms = {_part(module, 2) for module in graph.modules if _part(module, 1) == name} - {""}
    pairs = {(_part(a, 2), _part(b, 2)) for a, b in _imports(graph) if _part(a, 1) == _part(b, 1) == name}
    arrows = {(a, b) for a, b in pairs if a and b and a != b}
    ground = tuple(room for room in GROUND if room in rooms)
    arrows = {(a, b) for a, b in arrows if a not in ground and b not in ground}
    if layers is None:
        layers = layers_of(rooms - set(ground), arrows)
    layers = [[room for room in layer if room in rooms and room not in ground] for layer in layers]
    levels = {room: level for level, layer in enumerate(layers) for room in layer}
    for importer, imported in sorted(arrows):
        if levels[importer] >= levels[imported]:
            raise ValueError(f"{PACKAGE}.{name}.{importer} imports {imported}, which does not lie below it")
    return House(name, tuple(tuple(layer) for layer in layers if layer), frozenset(_reduced(arrows)), ground)


def layers_of(rooms: Iterable[str], arrows: Iterable[Arrow]) -> list[list[str]]:
    """Rooms by the length of the longest way that leads to them; each layer sorted."""
    level = dict.fromkeys(sorted(rooms), 0)
    for _ in level:
        for importer, imported in sorted(arrows):
            level[imported] = max(level[imported], level[importer] + 1)
    return [[room for room in level if level[room] == depth] for depth in range(max(level.values(), default=0) + 1)]


def _reduced(arrows: set[Arrow]) -> set[Arrow]:
    """The arrows without those that a longer way implies."""
    below: Mapping[str, set[str]] = {a: {b for c, b in arrows if c == a} for a, _ in arrows}

    def reaches(start: str, end: str) -> bool:
        return end in below.get(start, ()) or any(reaches(step, end) for step in below.get(start, ()))

    return {(a, b) for a, b in arrows if not any(reaches(step, b) for step in below[a] if step != b)}


def _imports(graph: grimp.ImportGraph) -> list[Arrow]:
    return [(m, n) for m in sorted(graph.modules) for n in sorted(graph.find_modules_directly_imported_by(m))]


def _part(module: str, depth: int) -> str:
    """The name at a depth below the package; empty where the module ends before it."""
    parts = module.split(".")
    return parts[depth] if len(parts) > depth else ""
