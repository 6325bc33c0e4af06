"""Tables of effects from what the arms came to: paired by seed and probe, intervals over seeds and people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from mien.model.evaluation.paired import Effect, effect, holm
from mien.tasks.experiment.results import ArmResult, Curve, ResultTable, Verdict

SURE = 0.05
"""Adjusted p-values are to be below."""

Outcomes = Float[np.ndarray, "seeds probes"]


def effects_table(
    key: str,
    title: str,
    unit: str,
    outcomes: Mapping[str, Outcomes],
    bases: Mapping[str, Sequence[str]],
    people: Int[np.ndarray, " probes"],
    seed: int,
) -> ResultTable:
    """A row for each arm.

    Args:
        key: In names of metrics and files.
        title: Of the table.
        unit: Of the measure.
        outcomes: By arm: 1 where a probe was named rightly. Seeds and probes are the same in all.
        bases: By arm, the arms that it is held against.
        people: Whose each probe is.
        seed: Of the bootstrap.
    """
    rows = [
        ArmResult(
            arm,
            effect(values, people, seed),
            {base: effect(values - outcomes[base], people, seed) for base in bases.get(arm, ())},
            by_seed=tuple(values.mean(1).tolist()),
        )
        for arm, values in outcomes.items()
    ]
    return ResultTable(key, title, unit, tuple(adjusted_rows(rows)))


def adjusted_rows(rows: Sequence[ArmResult]) -> list[ArmResult]:
    """Holm over all differences of the table."""
    p_values = {f"{row.arm}\n{base}": each.p for row in rows for base, each in row.over.items()}
    adjusted = holm(p_values)
    return [replace(row, adjusted={base: adjusted[f"{row.arm}\n{base}"] for base in row.over}) for row in rows]


def shown(each: Effect, scale: float = 100.0, signed: bool = False) -> str:
    """`83.2 (81.0 to 85.1)`."""
    form = "+.1f" if signed else ".1f"
    if not np.isfinite(each.value):
        return "-"
    told = f"{each.value * scale:{form}}"
    if not np.isfinite(each.low):
        return f"{told} (no interval)"
    return f"{told} ({each.low * scale:{form}} to {each.high * scale:{form}})"


def row_of(table: ResultTable, arm: str) -> ArmResult | None:
    """None where the arm was not measured."""
    return next((row for row in table.rows if row.arm == arm), None)


def beats(table: ResultTable, arm: str, base: str, least: float) -> Verdict:
    """Whether an arm is above another by so much (a share), with the whole interval above 0 and after Holm."""
    points = least * table.scale
    by = f" by {points:g} points or more" if least else ""
    aim = f"{table.key}: {arm} beats {base}{by}"
    row = row_of(table, arm)
    if row is None or base not in row.over or not np.isfinite(row.over[base].low):
        return Verdict(aim, None, "there is no interval")
    found = row.over[base]
    holds = found.value >= least and found.above_zero and row.adjusted[base] < SURE
    told = f"{shown(found, table.scale, signed=True)} points, p {row.adjusted[base]:.3f} after Holm"
    return Verdict(aim, holds, told)


def does_not_beat(table: ResultTable, arm: str, base: str) -> Verdict:
    """Whether a control is no better than the base: its interval is not above 0."""
    aim = f"{table.key}: {arm} does not beat {base}"
    row = row_of(table, arm)
    if row is None or base not in row.over or not np.isfinite(row.over[base].low):
        return Verdict(aim, None, "there is no interval")
    found = row.over[base]
    return Verdict(aim, not found.above_zero, f"{shown(found, table.scale, signed=True)} points")


def as_markdown(table: ResultTable) -> list[str]:
    """Lines of a table: value, differences, p."""
    bases = list(dict.fromkeys(base for row in table.rows for base in row.over))
    beside = list(dict.fromkeys(name for row in table.rows for name in row.beside))
    head = [table.unit, *(f"over {base}" for base in bases), *beside]
    lines = [f"| {' | '.join(['', *head])} |", f"|{'---|' * (len(head) + 1)}"]
    for row in table.rows:
        cells = [shown(row.value, table.scale)]
        for base in bases:
            found = row.over.get(base)
            cells.append("" if found is None else f"{shown(found, table.scale, signed=True)}{_p(row.adjusted[base])}")
        cells += [shown(row.beside[name], table.scale) if name in row.beside else "" for name in beside]
        lines.append(f"| {' | '.join([row.arm, *cells])} |")
    return lines


def curve_as_markdown(curve: Curve) -> list[str]:
    """Lines of a table: a row for each line of the curve, a column for each point."""
    points = sorted({x for line in curve.lines.values() for x, _ in line})
    lines = [f"| {' | '.join([curve.x, *(f'{x:g}' for x in points)])} |", f"|{'---|' * (len(points) + 1)}"]
    for name, line in curve.lines.items():
        found = dict(line)
        lines.append(f"| {' | '.join([name, *(shown(found[x]) if x in found else '' for x in points)])} |")
    return lines


def _p(p: float) -> str:
    return f", p {p:.3f}" if np.isfinite(p) else ""
