"""From the measures of many pictures to means, intervals, differences and ratios."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from mien.model.evaluation.bootstrap import Statistic, average_of, difference_of, estimate, mean_of, slope_of
from mien.model.evaluation.metrics import spread
from mien.model.landmarks.reference import reference_shape
from mien.model.landmarks.schemes import interocular_px
from mien.tasks.evaluate.measure import Measured, MeasuredPair
from mien.tasks.evaluate.results import ASKED, GENERATED, SOURCES_OF, SPLINE, Estimates, Kind, Section

SAME = (
    "l1", "mouth_l1", "eye_l1", "ssim", "psnr", "sharpness", "sharpness_gap", "nme",
    "identity_similarity", "identity_distance", "other_similarity", "found",
)  # fmt: skip
CROSS = (
    "nme", "identity_distance", "driver_distance", "leak", "other_similarity",
    "mouth_reached", "eyes_reached", "expression_reached", "spread", "found",
)  # fmt: skip
MEASURES: dict[Kind, tuple[str, ...]] = {"same": SAME, "cross": CROSS}
RATIOS: dict[Kind, tuple[str, ...]] = {"same": ("l1", "mouth_l1", "eye_l1", "nme"), "cross": ("nme",)}
"""Errors that are given as × of the spline's."""
GAINS: dict[Kind, tuple[str, ...]] = {"same": ("ssim",), "cross": ()}
"""Measures that are given as + over the spline's."""

Columns: TypeAlias = Mapping[str, Float[np.ndarray, " rows"]]


def summarise_sources(split: str, measured: Sequence[MeasuredPair], seed: int) -> Section | None:
    """The section of the same-person pairs that were also made from several photos; None where there are none."""
    several = [row for row in measured if any(map(_from_several, row.methods))]
    return replace(_summarised(split, "same", several, seed), several=True) if several else None


def _from_several(method: str) -> bool:
    return method.startswith(SOURCES_OF.format(""))


def summarise(split: str, kind: Kind, measured: Sequence[MeasuredPair], seed: int) -> Section:
    """The section of these pairs, which must be some: what was made from one photo each."""
    single = [
        replace(row, methods={name: own for name, own in row.methods.items() if not _from_several(name)})
        for row in measured
    ]
    return _summarised(split, kind, single, seed)


def _summarised(split: str, kind: Kind, measured: Sequence[MeasuredPair], seed: int) -> Section:
    people = np.unique([row.pair.person for row in measured], return_inverse=True)[1]
    columns = {method: _columns(measured, method, people) for method in _methods(measured)}
    if kind == "cross":
        columns[ASKED] = {"spread": _spreads([row.asked_points for row in measured], people)}

    def estimates(statistics: Mapping[str, Statistic]) -> Estimates:
        found = {name: estimate(statistic, people, seed) for name, statistic in statistics.items()}
        return {name: value for name, value in found.items() if np.isfinite(value.value)}

    means = {method: estimates(_statistics(kind, own)) for method, own in columns.items()}
    differences = {
        method: estimates(_differences(kind, columns[GENERATED], other))
        for method, other in columns.items()
        if method != GENERATED
    }
    ratios = {method: _ratios(kind, own, means[SPLINE]) for method, own in means.items() if method != SPLINE}
    return Section(
        split,
        kind,
        len(measured),
        len(set(people)),
        means,
        differences,
        {method: found for method, found in ratios.items() if found},
    )


def _methods(measured: Sequence[MeasuredPair]) -> list[str]:
    return list(dict.fromkeys(method for row in measured for method in row.methods))


def _columns(measured: Sequence[MeasuredPair], method: str, people: np.ndarray) -> Columns:
    """A value per pair of everything that was measured, NaN where it could not be."""
    rows = [row.methods.get(method, Measured()) for row in measured]
    names = dict.fromkeys(name for row in rows for name in row.values)
    columns = {name: np.array([row.values.get(name, np.nan) for row in rows]) for name in names}
    return {**columns, "spread": _spreads([row.points for row in rows], people)}


def _spreads(points: Sequence[np.ndarray | None], people: np.ndarray) -> Float[np.ndarray, " rows"]:
    """At each pair the spread of all shapes of its person."""
    shapes: dict[int, list[np.ndarray]] = defaultdict(list)
    for found, person in zip(points, people, strict=True):
        if found is not None:
            shapes[person].append(found)
    onto = reference_shape()
    unit = interocular_px(onto, "ibug68")
    of_person = {person: spread(np.stack(own).astype(np.float64), onto, unit) for person, own in shapes.items()}
    return np.array([of_person.get(person, np.nan) for person in people])


def _statistics(kind: Kind, columns: Columns) -> dict[str, Statistic]:
    """How each measure comes of the pairs' values; those that the columns do not allow are left out."""
    statistics = {name: mean_of(column) for name, column in columns.items()}
    if "mouth_asked" in columns:
        mouth, eyes = (slope_of(columns[f"{part}_asked"], columns[f"{part}_change"]) for part in ("mouth", "eyes"))
        statistics |= {
            "mouth_reached": mouth,
            "eyes_reached": eyes,
            "expression_reached": average_of(mouth, eyes),
        }
    return {name: statistics[name] for name in MEASURES[kind] if name in statistics}


def _differences(kind: Kind, generated: Columns, other: Columns) -> dict[str, Statistic]:
    """Generated − other over the pairs that both have."""
    shared = [name for name in generated if name in other]
    both = {name: np.isfinite(generated[name]) & np.isfinite(other[name]) for name in shared}
    first, second = (
        _statistics(kind, {name: np.where(both[name], columns[name], np.nan) for name in shared})
        for columns in (generated, other)
    )
    return {name: difference_of(first[name], second[name]) for name in first}


def _ratios(kind: Kind, means: Estimates, spline: Estimates) -> dict[str, float]:
    shared = {name: (means[name].value, spline[name].value) for name in means if name in spline}
    times = {name: shared[name][0] / shared[name][1] for name in RATIOS[kind] if name in shared and shared[name][1]}
    more = {name: shared[name][0] - shared[name][1] for name in GAINS[kind] if name in shared}
    return times | more
