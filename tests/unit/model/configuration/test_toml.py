"""Settings as TOML: the text reads back to the same value, and says what each field is."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from typing import Annotated, Literal

from mien.model.configuration.bounds import Count, GivenByData, Positive
from mien.model.configuration.refine import refine
from mien.model.configuration.toml import as_toml, field_docs


@dataclass(frozen=True)
class Stop:
    """When to stop."""

    patience: Count = 20
    """Validations without a better metric."""


@dataclass(frozen=True)
class Training:
    """A training.

    Steps and minutes may both be set.
    """

    rate: Positive = 1e-5
    """Of the optimiser;
    falls to a twentieth."""
    steps: Count | None = None
    """Updates."""
    stop: Stop = field(default_factory=Stop)
    kind: Literal["bce", "hinge"] = "bce"
    flip: bool = False
    title: str = 'a "quoted" \\ title\x7f\n'
    splits: tuple[str, ...] = ("val", "ü")
    parts: Annotated[int, GivenByData()] = 8


TEXT = r"""# A training.
# Steps and minutes may both be set.
[train]

# Of the optimiser; falls to a twentieth.
rate = 1e-05  # a number, above 0

# Updates.
# steps =  # not set; a whole number, at least 1

kind = "bce"  # one of bce, hinge

flip = false  # true or false

title = "a \"quoted\" \\ title\u007f\n"  # a string

splits = ["val", "ü"]  # a list


# When to stop.
[train.stop]

# Validations without a better metric.
patience = 20  # a whole number, at least 1
"""


def test_each_field_stands_below_its_docstring() -> None:
    assert as_toml(Training(), "train") == TEXT


def test_the_text_reads_back_to_the_same_value() -> None:
    changed = Training(0.125, 7, Stop(3), "hinge", True, "", ())
    for settings in (Training(), changed):
        assert refine(Training(), tomllib.loads(as_toml(settings, "a.b"))["a"]["b"]) == settings
        assert refine(Training(), tomllib.loads(as_toml(settings))) == settings


def test_docstrings_of_fields_are_those_below_them() -> None:
    assert field_docs(Training) == {"rate": "Of the optimiser; falls to a twentieth.", "steps": "Updates."}
