"""Splits depend on the identity alone."""

from __future__ import annotations

from collections import Counter

from mien.flows.cli.demo import HELD_OUT_FRACTION, SPLIT_SALT
from mien.tasks.sets.splits import SplitSettings, split_of


def test_shares_are_those_asked_for() -> None:
    settings = SplitSettings(val_fraction=0.2, test_fraction=0.1)
    counts = Counter(split_of(f"person {n}", settings) for n in range(10_000))
    assert abs(counts["val"] / 10_000 - 0.2) < 0.02
    assert abs(counts["test"] / 10_000 - 0.1) < 0.02


def test_a_larger_held_out_share_keeps_who_was_held_out() -> None:
    small, large = SplitSettings(0.1, 0.0), SplitSettings(0.3, 0.0)
    held = [name for name in map(str, range(500)) if split_of(name, small) == "val"]
    assert held
    assert all(split_of(name, large) == "val" for name in held)


def test_the_demo_holds_out_three_and_three_of_its_forty_people() -> None:
    settings = SplitSettings(HELD_OUT_FRACTION, HELD_OUT_FRACTION, SPLIT_SALT)
    counts = Counter(split_of(f"s{n}", settings) for n in range(1, 41))
    assert counts == {"train": 34, "val": 3, "test": 3}
