from __future__ import annotations

from itertools import pairwise

import pytest

from benchmarks.layered import lay_out, narrowest_px
from benchmarks.rooms import imports_between_houses, layers_of, read_houses

LAYERS = [["a"], ["b", "c"], ["d", "e"]]
ARROWS = [("a", "b"), ("a", "c"), ("b", "e"), ("c", "d"), ("a", "d")]


def test_a_room_lies_below_all_that_import_it() -> None:
    assert layers_of("abcd", [("a", "b"), ("b", "c"), ("a", "c")]) == [["a", "d"], ["b"], ["c"]]


def test_the_houses_are_what_the_code_imports() -> None:
    houses = read_houses()
    assert ("sets", "runtime") in houses["tasks"].arrows
    assert ("warping", "landmarks") in houses["model"].arrows
    assert imports_between_houses() == {
        ("flows", "tasks"), ("flows", "model"), ("flows", "storage"), ("tasks", "model"), ("tasks", "storage")
    }  # fmt: skip


def test_an_arrow_that_a_longer_way_implies_is_left_out() -> None:
    tasks = read_houses()["tasks"]
    assert ("transfer", "generator") in tasks.arrows
    assert ("transfer", "runtime") not in tasks.arrows


def test_boxes_of_a_layer_do_not_meet() -> None:
    layout = lay_out(LAYERS, ARROWS, 300, lambda name: 60)
    for layer in layout.layers:
        boxes = [name for name in layer if len(name) == 1]
        assert all(layout.x[b] - layout.x[a] >= 60 for a, b in pairwise(boxes))
    assert all(30 <= layout.x[name] <= 270 for name in "abcde")


def test_what_needs_more_than_the_width_is_known_before() -> None:
    width_px = narrowest_px(LAYERS, ARROWS, lambda name: 60)
    layout = lay_out(LAYERS, ARROWS, width_px, lambda name: 60)
    assert all(30 <= layout.x[name] <= width_px - 30 for name in "abcde")


def test_boxes_are_ordered_so_that_arrows_do_not_cross() -> None:
    layout = lay_out(LAYERS, ARROWS, 300, lambda name: 60)
    order = [[name for name in layer if len(name) == 1] for layer in layout.layers]
    assert order in ([["a"], ["b", "c"], ["e", "d"]], [["a"], ["c", "b"], ["d", "e"]])


def test_an_arrow_over_a_layer_runs_beside_its_boxes() -> None:
    layout = lay_out(LAYERS, ARROWS, 300, lambda name: 60)
    start, passed, end = layout.ways["a", "d"]
    assert (start, end) == ("a", "d")
    assert all(abs(layout.x[passed] - layout.x[box]) > 30 for box in "bc")


def test_an_import_that_runs_upward_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    upside_down = {"tasks": [[room] for layer in reversed(read_houses()["tasks"].layers) for room in layer]}
    monkeypatch.setattr("benchmarks.rooms._contract_layers", lambda: upside_down)
    with pytest.raises(ValueError, match="does not lie below"):
        read_houses()
