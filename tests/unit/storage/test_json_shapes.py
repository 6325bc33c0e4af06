"""Shapes: what fits comes back as what it was, and nothing else passes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.storage.json_shapes import from_json


@dataclass(frozen=True)
class Inner:
    name: str
    share: float = 0.5


@dataclass(frozen=True)
class Outer:
    count: int
    inner: Inner | None
    many: tuple[Inner, ...]
    pair: tuple[int, str]
    kind: Literal["a", "b"] = "a"
    labels: dict[str, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError("a count below 0")


class _Named(TypedDict):
    uri: str


class Entry(_Named, total=False):
    reason: str | None


@given(
    st.builds(
        Outer,
        st.integers(0),
        st.none() | st.builds(Inner, st.text(), st.floats(allow_nan=False)),
        st.lists(st.builds(Inner, st.text()), max_size=3).map(tuple),
        st.tuples(st.integers(), st.text()),
        st.sampled_from(["a", "b"]),
        st.dictionaries(st.text(), st.lists(st.integers(), max_size=3), max_size=3),
    )
)
def test_what_was_written_comes_back(value: Outer) -> None:
    assert from_json(Outer, json.loads(json.dumps(asdict(value)))) == value


GOOD: dict[str, Any] = {"count": 1, "inner": None, "many": [], "pair": [1, "x"]}


def test_defaults_may_be_missing_and_ints_are_floats() -> None:
    assert from_json(Outer, GOOD) == Outer(1, None, (), (1, "x"))
    assert from_json(Inner, {"name": "x", "share": 1}) == Inner("x", 1)
    assert from_json(Entry, {"uri": "x"}) == {"uri": "x"}
    assert from_json(dict[str, Any], {"x": [None]}) == {"x": [None]}


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        (Outer, {**GOOD, "count": "1"}),
        (Outer, {**GOOD, "count": True}),
        (Outer, {**GOOD, "count": 1.0}),
        (Outer, {**GOOD, "count": -1}),
        (Outer, {**GOOD, "inner": {"share": 1.0}}),
        (Outer, {**GOOD, "inner": {"name": "x", "share": True}}),
        (Outer, {**GOOD, "many": {}}),
        (Outer, {**GOOD, "many": [None]}),
        (Outer, {**GOOD, "pair": [1]}),
        (Outer, {**GOOD, "pair": [1, "x", 2]}),
        (Outer, {**GOOD, "kind": "c"}),
        (Outer, {**GOOD, "labels": []}),
        (Outer, {**GOOD, "labels": {"x": [None]}}),
        (Outer, {**GOOD, "more": 1}),
        (Outer, {name: value for name, value in GOOD.items() if name != "many"}),
        (Outer, [GOOD]),
        (Outer, None),
        (Entry, {"reason": None}),
        (Entry, {"uri": "x", "reason": 1}),
        (Entry, {"uri": "x", "other": 1}),
        (list[str], "text"),
        (str, None),
        (bool, 0),
    ],
)
def test_another_shape_is_refused(shape: Any, value: Any) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        from_json(shape, value)
    assert len(str(caught.value)) < 200


def test_what_json_does_not_have_is_no_shape() -> None:
    with pytest.raises(TypeError, match="nothing like"):
        from_json(set[int], [1])
