"""Settings from a mapping: what is refused, in which words, and what comes through."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest

from mien.model.configuration.bounds import Count, GivenByData, Positive, Share, check_bounds
from mien.model.configuration.refine import changes, refine
from mien.model.errors import ModelError, SettingsError


@dataclass(frozen=True)
class Weights:
    """Weights of terms."""

    mouth: Share = 0.5
    eyes: Share = 0.25

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True)
class Training:
    """A training."""

    batch_size: Count = 4
    optimizer: Literal["adam", "sgd"] = "adam"
    minutes: Positive | None = None
    flip: bool = True
    label: str = ""
    splits: tuple[str, ...] = ("val",)
    betas: tuple[float, float] = (0.9, 0.99)
    parts: Annotated[int, GivenByData()] = 8
    weights: Weights = field(default_factory=Weights)

    def __post_init__(self) -> None:
        check_bounds(self)
        if self.batch_size == 1 and self.flip:
            raise ModelError("a batch of 1 cannot be flipped")


def test_named_fields_change_and_all_others_stay() -> None:
    given = {
        "batch_size": 8,
        "optimizer": "sgd",
        "minutes": 3,
        "flip": False,
        "label": "a",
        "splits": ["val", "test"],
        "betas": [0.5, 1],
        "weights": {"eyes": 1},
    }
    expected = Training(8, "sgd", 3.0, False, "a", ("val", "test"), (0.5, 1.0), weights=Weights(eyes=1.0))
    found = refine(Training(), given, "train")
    assert found == expected
    # A whole number for a float is a float: fingerprints tell 3 from 3.0.
    assert [type(found.minutes), type(found.weights.eyes), type(found.betas[1])] == [float] * 3


def test_what_is_refined_is_the_given_settings_and_not_the_defaults() -> None:
    base = Training(batch_size=16, weights=Weights(mouth=0.1))
    assert refine(base, {"weights": {"eyes": 0.9}}) == Training(16, weights=Weights(0.1, 0.9))
    assert base.weights == Weights(mouth=0.1)


def test_null_unsets_what_may_be_unset_and_nothing_else() -> None:
    assert refine(Training(minutes=2.0), {"minutes": None}).minutes is None
    with pytest.raises(SettingsError, match=r"train\.batch_size must be a whole number, not None"):
        refine(Training(), {"batch_size": None}, "train")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"batchsize": 2}, "there is no setting train.batchsize: did you mean train.batch_size?"),
        ({"mouth": 1}, "there is no setting train.mouth: did you mean train.weights.mouth?"),
        ({"weights": {"moth": 1}}, "there is no setting train.weights.moth: did you mean train.weights.mouth?"),
        ({"weight": {}}, "there is no setting train.weight: did you mean train.weights?"),
        ({"parts": 8}, "there is no setting train.parts"),
        ({"a b\nc": 1}, "there is no setting train.'a b\\nc'"),
        ({3: 1}, "there is no setting train.3"),
        ({"optimizer": "sgdd"}, "train.optimizer must be one of adam, sgd, not 'sgdd'; did you mean sgd?"),
        ({"optimizer": 3}, "train.optimizer must be one of adam, sgd, not 3"),
        ({"batch_size": 0}, "train.batch_size must be at least 1, not 0"),
        ({"batch_size": True}, "train.batch_size must be a whole number, not True"),
        ({"batch_size": 2.0}, "train.batch_size must be a whole number, not 2.0"),
        ({"batch_size": {}}, "train.batch_size must be a whole number, not {}"),
        ({"minutes": -1}, "train.minutes must be above 0, not -1"),
        ({"minutes": math.nan}, "train.minutes must be above 0, not nan"),
        ({"minutes": math.inf}, "train.minutes must be above 0, not inf"),
        ({"minutes": 10**400}, "train.minutes must be above 0, not inf"),
        ({"minutes": "3"}, "train.minutes must be a number, not '3'"),
        ({"flip": 1}, "train.flip must be true or false, not 1"),
        ({"label": 1}, "train.label must be a string, not 1"),
        ({"splits": "val"}, "train.splits must be a list, not 'val'"),
        ({"splits": ["val", 3]}, "train.splits[1] must be a string, not 3"),
        ({"betas": [1.0]}, "train.betas must be a list of 2, not [1.0]"),
        ({"betas": [math.nan, 1.0]}, "train.betas[0] must be finite, not nan"),
        ({"weights": 3}, "train.weights must be a table of settings, not 3"),
        ({"weights": {"mouth": 1.5}}, "train.weights.mouth must be at least 0 and at most 1, not 1.5"),
        ({"label": ["x" * 500]}, "train.label must be a string, not ['xxx"),
        ({"batch_size": 1}, "train: a batch of 1 cannot be flipped"),
        ([1], "train must be a table of settings, not [1]"),
    ],
)
def test_what_is_wrong_is_told_in_one_line_with_its_full_name(given: Any, message: str) -> None:
    with pytest.raises(SettingsError) as raised:
        refine(Training(), given, "train")
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 160


def test_settings_made_in_python_are_held_to_the_same_bounds() -> None:
    with pytest.raises(SettingsError, match="batch_size must be at least 1, not -3"):
        Training(batch_size=-3)
    with pytest.raises(SettingsError, match="minutes must be above 0, not nan"):
        Training(minutes=math.nan)


def test_changes_are_named_in_full() -> None:
    changed = Training(batch_size=8, weights=Weights(mouth=0.1))
    assert changes(changed, Training(), "train") == {"train.batch_size": 8, "train.weights.mouth": 0.1}
    assert changes(Training(), Training()) == {}
