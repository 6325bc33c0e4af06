"""What an experiment finds, as its page, MLflow and a terminal show it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from mien.model.evaluation.paired import Effect


@dataclass(frozen=True)
class ArmResult:
    """One row of a table."""

    arm: str
    value: Effect
    """The measure itself."""
    over: dict[str, Effect] = field(default_factory=dict[str, Effect])
    """The difference from another arm, by its name."""
    adjusted: dict[str, float] = field(default_factory=dict[str, float])
    """p-values of these differences, adjusted by Holm over the arms of the table."""
    by_seed: tuple[float, ...] = ()
    beside: dict[str, Effect] = field(default_factory=dict[str, Effect])
    """Further measures of the arm, by their name: columns of the table."""


@dataclass(frozen=True)
class ResultTable:
    """One way to measure all arms."""

    key: str
    """In names of metrics and files."""
    title: str
    unit: str
    """Such as `rank-1, %`."""
    rows: tuple[ArmResult, ...]
    scale: float = 100.0
    """Factor of the shown values."""


@dataclass(frozen=True)
class Verdict:
    """An aim, and what became of it."""

    aim: str
    holds: bool | None
    """None: it could not be measured."""
    said: str
    """One sentence with the figures."""

    def line(self) -> str:
        """For a terminal."""
        word = {True: "holds", False: "does not hold", None: "not measured"}[self.holds]
        return f"{word}: {self.aim}: {self.said}"


@dataclass(frozen=True)
class Curve:
    """A measure along a quantity, a line for each arm."""

    key: str
    title: str
    x: str
    y: str
    lines: dict[str, tuple[tuple[float, Effect], ...]]


@dataclass(frozen=True)
class Failure:
    """A probe that most recognisers of an arm named wrongly."""

    face_id: str
    person: int
    taken_for: int
    share: float
    """Of the seeds."""


@dataclass(frozen=True)
class Experiment:
    """All that an experiment found."""

    title: str
    about: tuple[str, ...]
    """Lines on people, generator, embedder, sizes."""
    notes: tuple[str, ...]
    """Lines on who was left out, and on what limits the result."""
    tables: tuple[ResultTable, ...]
    verdicts: tuple[Verdict, ...]
    curves: tuple[Curve, ...] = ()
    confusions: dict[str, tuple[tuple[int, ...], ...]] = field(default_factory=dict[str, tuple[tuple[int, ...], ...]])
    """By arm: how often each class (row) was taken for each other (column), over all seeds."""
    classes: tuple[str, ...] = ()
    """Names of the rows of the confusions."""
    failures: tuple[Failure, ...] = ()
    tried: tuple[str, ...] = ()
    """Everything that was measured, one line each: nothing is left out of the tables."""

    def metrics(self) -> dict[str, float]:
        """Names for MLflow: `cnn/generated + usual`, and the ends of its interval."""
        out: dict[str, float] = {}
        for table in self.tables:
            for row in table.rows:
                name = f"{table.key}/{metric_name(row.arm)}"
                out |= {name: row.value.value, f"{name}_low": row.value.low, f"{name}_high": row.value.high}
        return {name: value for name, value in out.items() if value == value}


def metric_name(arm: str) -> str:
    """MLflow takes letters, digits, `_-.:/` and blanks."""
    return re.sub(r"[^\w\-.:/ ]", "", arm.replace("+", "and").replace("%", "percent"), flags=re.ASCII)
