"""Shard plans: what was computed before stays."""

from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.storage import plan_shards


def _plan(items: str, kept: list[str], size: int = 3) -> list[str]:
    return ["".join(shard) for shard in plan_shards(items, key=lambda c: c, kept=kept, size=size)]


def test_without_former_shards_the_items_are_cut_in_order() -> None:
    assert _plan("abcdefgh", []) == ["abc", "def", "gh"]


def test_no_items_make_no_shards() -> None:
    assert _plan("", ["abc"]) == []


def test_new_items_make_new_shards_and_leave_old_ones_alone() -> None:
    assert _plan("aXbcdYef", ["abc", "def"]) == ["abc", "def", "XY"]


def test_only_the_shard_of_a_lost_item_is_made_anew() -> None:
    assert _plan("abcdf", ["abc", "def"]) == ["abc", "df"]


def test_a_former_shard_keeps_its_own_order_and_size() -> None:
    assert _plan("abcdef", ["dcba"], size=2) == ["dcba", "ef"]


def test_former_shards_that_overlap_are_not_both_kept() -> None:
    assert _plan("abcd", ["ab", "bc", "cc"]) == ["ab", "cd"]


def test_keys_stand_for_items() -> None:
    assert plan_shards([10, 20, 30], key=str, kept=[["20"]], size=5) == [[20], [10, 30]]


@given(st.sets(st.integers(0, 40)), st.lists(st.lists(st.integers(0, 40)), max_size=8), st.integers(1, 7))
def test_each_item_is_in_exactly_one_shard(items: set[int], kept: list[list[int]], size: int) -> None:
    keys = [[str(item) for item in shard] for shard in kept]
    shards = plan_shards(sorted(items), key=str, kept=keys, size=size)
    assert sorted(chain.from_iterable(shards)) == sorted(items)
    assert all(shards)


@given(st.lists(st.integers(), unique=True), st.integers(1, 7))
def test_a_second_plan_of_the_same_items_is_the_first(items: list[int], size: int) -> None:
    first = plan_shards(items, key=str, kept=[], size=size)
    assert plan_shards(items, key=str, kept=[[str(i) for i in shard] for shard in first], size=size) == first


def test_misuse_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 item"):
        _plan("abc", [], size=0)
    with pytest.raises(ValueError, match="same key"):
        _plan("aa", [])
