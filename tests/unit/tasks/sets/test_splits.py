"""Splits depend on the identity alone."""

from __future__ import annotations

from collections import Counter

from mien.flows.cli.demo import HELD_OUT_FRACTION, SPLIT_SALT
from mien.tasks.sets.splits import Split, SplitSettings, chosen_besides, split_hash, split_of


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


TENTH = SplitSettings()


def _splits(people: int, prefix: str, settings: SplitSettings = TENTH, former: dict[str, Split] | None = None):
    names = [f"{prefix} {n}" for n in range(people)]
    besides = chosen_besides(dict.fromkeys(names, 3), settings, former or {})
    return {name: split_of(name, settings, besides) for name in names}, besides


def test_every_team_of_three_and_more_has_somebody_in_each_split() -> None:
    bare = 0
    for team in range(300):
        for people in (3, 5, 14, 30):
            splits, besides = _splits(people, f"team {team}")
            assert set(splits.values()) == {"train", "val", "test"}
            assert len(besides) <= 3
            bare += people == 14 and "val" not in {split_of(name, TENTH) for name in splits}
    assert 0.15 < bare / 300 < 0.31  # as often as one says: 0.9¹⁴ is 0.23


def test_where_the_hash_holds_out_somebody_nobody_is_added() -> None:
    splits, besides = _splits(500, "many")
    assert besides == {}
    assert splits == {name: split_of(name, TENTH) for name in splits}


def test_a_growing_team_moves_nobody() -> None:
    """Person by person, with what was found for the set before: a split, once given, stays."""
    for team in range(60):
        former: dict[str, Split] = {}
        before: dict[str, str] = {}
        for people in range(3, 40):
            splits, former = _splits(people, f"grown {team}", former=former)
            assert {name: splits[name] for name in before} == before
            before = splits


def test_only_people_with_two_photos_count_and_one_is_left_to_train_on() -> None:
    nobody = SplitSettings(1e-6, 1e-6)
    assert chosen_besides({"a": 1, "b": 1, "c": 1}, nobody, {}) == {}
    assert chosen_besides({"a": 9}, nobody, {}) == {}
    assert list(chosen_besides({"a": 9, "b": 9, "c": 1}, nobody, {}).values()) == ["val"]
    three = chosen_besides({"a": 2, "b": 2, "c": 2}, nobody, {})
    assert sorted(three.values()) == ["test", "val"]
    assert chosen_besides({"a": 2, "b": 2, "c": 2}, SplitSettings(0, 0), {}) == {}
    assert list(chosen_besides({"a": 2, "b": 2, "c": 2}, SplitSettings(1e-6, 0), {}).values()) == ["val"]


def test_nobody_is_left_to_train_on_only_where_that_is_asked_for() -> None:
    assert chosen_besides({"a": 2, "b": 2}, SplitSettings(1.0, 0), {}) == {}
    assert sorted(chosen_besides({"a": 2, "b": 2, "c": 2}, SplitSettings(1 - 1e-6, 0), {}).values()) == ["train"]


def test_who_is_gone_is_held_out_no_more() -> None:
    nobody = SplitSettings(1e-6, 0)
    chosen = chosen_besides({"a": 2, "b": 2, "c": 2}, nobody, {})
    gone = next(name for name in "abc" if split_hash(name, nobody) in chosen)
    others = {name: 2 for name in "abc" if name != gone}
    later = chosen_besides(others, nobody, chosen)
    assert split_hash(gone, nobody) not in later
    assert list(later.values()) == ["val"]


def test_the_demo_holds_out_three_and_three_of_its_forty_people() -> None:
    settings = SplitSettings(HELD_OUT_FRACTION, HELD_OUT_FRACTION, SPLIT_SALT)
    counts = Counter(split_of(f"s{n}", settings) for n in range(1, 41))
    assert counts == {"train": 34, "val": 3, "test": 3}
