"""Fingerprints: the same for what is the same, everywhere; another for whatever differs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.storage import fingerprint
from mien.storage.fingerprints import canonical_json, is_fingerprint

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@dataclass(frozen=True)
class Inner:
    sides: tuple[int, ...]


@dataclass(frozen=True)
class Settings:
    name: str
    inner: Inner


def test_it_is_the_beginning_of_the_sha256_of_canonical_json() -> None:
    text = '{"a":[1,2.5,null,true],"b":"\\u00e9"}'
    value = {"b": "é", "a": [1, 2.5, None, True]}
    assert canonical_json(value) == text
    assert fingerprint(value) == hashlib.sha256(text.encode()).hexdigest()[:32]
    assert is_fingerprint(fingerprint(value))


@given(st.dictionaries(st.text(), json_values))
def test_the_order_of_keys_does_not_matter(value: dict[str, object]) -> None:
    assert fingerprint(value) == fingerprint(dict(reversed(value.items())))


def test_a_dataclass_is_its_fields_at_any_depth() -> None:
    settings = Settings("x", Inner((1, 2)))
    assert fingerprint([settings]) == fingerprint([{"name": "x", "inner": {"sides": [1, 2]}}])


@pytest.mark.parametrize(
    ("one", "other"),
    [([1, 2], [2, 1]), ({"a": None}, {}), ("1", 1), (True, 1), (["ab"], ["a", "b"]), ({"a": {"b": 1}}, {"a": 1})],
)
def test_what_differs_has_another_name(one: object, other: object) -> None:
    assert fingerprint(one) != fingerprint(other)


@pytest.mark.parametrize("value", [{1: "a"}, {"a": b"bytes"}, [{1, 2}], Path("x"), Settings])
def test_what_json_does_not_have_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="a fingerprint takes"):
        fingerprint(value)


def test_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        fingerprint({"a": float("nan")})
