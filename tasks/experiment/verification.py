"""Is this the person of the template? How much harder expressive photos are, and whether generated faces help.

A template is the embedding of the person's one photo, or the mean over the photo and made faces; or the embedder is
trained further with them. All by an embedder that the generator did not learn from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from mien.model.evaluation.paired import Effect, Statistic, crossed, minus
from mien.model.recognition.error_rates import auc, threshold_at
from mien.storage import Root
from mien.tasks.errors import UsageError
from mien.tasks.experiment.judges import JudgeSpec
from mien.tasks.experiment.measure import Scored, Setup, Tuned, enrolled_scores
from mien.tasks.experiment.recognition import COPY, GENERATED, PHOTO, MadeFaces, arms_of, score_arms, with_usual
from mien.tasks.experiment.results import ArmResult, Experiment, ResultTable, Verdict
from mien.tasks.experiment.subjects import Subjects, check_apart
from mien.tasks.experiment.summary import SURE, adjusted_rows, shown
from mien.tasks.runtime.workers import in_worker

FMRS = (1e-2, 1e-3)
LEAST_FALL = 0.3
"""By what share the gap is to fall."""
_MIN_PROBES = 10
"""Of each kind; with fewer a rate is no rate."""

Scores = Float[np.ndarray, "probes people"]


@dataclass(frozen=True)
class _Way:
    key: str
    title: str
    scores: Mapping[str, Scores]


def run_verification(
    root: Root, subjects: Subjects, setup: Setup, made: MadeFaces, faces: int, judge: JudgeSpec, about: Sequence[str]
) -> Experiment:
    """Scores all arms in the worker processes.

    Raises:
        UsageError: there are too few probes of a kind, a photo that is to be told is used for training, or no embedder
            can be trained.
    """
    check_apart([*subjects.photos, *made.drivers], [probe.image_id for probe in subjects.probes])
    expressive = subjects.expressive
    calm = int((~expressive).sum())
    if min(calm, len(expressive) - calm) < _MIN_PROBES:
        raise UsageError(
            f"{setup.tables.name} gives {calm} calm and {len(expressive) - calm} expressive photos to compare, and it "
            f"takes {_MIN_PROBES} of each: leave out --neutral, or name a set with more photos"
        )
    arms = arms_of(made, faces)
    judge_name, own = in_worker(enrolled_scores, root, setup, judge)
    scored = score_arms(root, setup, arms, judge, further=True)
    ways = [_Way("template", "templates are means over the photo and the added faces", _template(scored))]
    if (tuned := _tuned(scored)) is not None:
        ways.append(_Way("tuned", "the embedder is trained further with the photo and the added faces", tuned))
    measured = [_measured(way, fmr, subjects) for way in ways for fmr in FMRS]
    tables = [table for table, _ in measured]
    genuine = np.arange(len(setup.enrolled_ids))[None] == subjects.of_probes[:, None]
    lines = (
        *about,
        f"embedder that reports: {judge_name}, AUC {auc(own[genuine], own[~genuine]):.3f} on these pairs",
        f"genuine pairs: {calm} with a calm photo, {len(expressive) - calm} with an expressive one; "
        f"{int((~genuine).sum())} pairs of two people",
    )
    return Experiment(
        f"verification of {setup.tables.name}",
        lines,
        subjects.notes,
        tuple(tables),
        tuple(verdict for _, verdicts in measured for verdict in verdicts),
        tried=tuple(f"{table.title}: {row.arm}" for table in tables for row in table.rows),
    )


_Scores = Mapping[str, tuple[Scored, Tuned | None]]


def _template(scored: _Scores) -> dict[str, Scores]:
    return {name: np.array(found.template) for name, (found, _) in scored.items()}


def _tuned(scored: _Scores) -> dict[str, Scores] | None:
    """The photo's own arm keeps the embedder as it is: it is what the others are held against. None where the embedder
    cannot be trained further."""
    out = {PHOTO: np.array(scored[PHOTO][0].template)}
    for name, (_, tuned) in scored.items():
        if name == PHOTO:
            continue
        if tuned is None:
            return None
        out[name] = np.array(tuned.scores)
    return out


def _measured(way: _Way, fmr: float, subjects: Subjects) -> tuple[ResultTable, list[Verdict]]:
    """A table of the arms, and what became of the aims."""
    people, count, expressive = subjects.of_probes, len(subjects.people), subjects.expressive
    errors = {name: _errors(scores, people, fmr) for name, scores in way.scores.items()}
    kinds = {"calm": ~expressive, "expressive": expressive}
    rates = {name: {k: _rate(each, of, people, count) for k, of in kinds.items()} for name, each in errors.items()}
    gaps = {name: minus(each["expressive"], each["calm"]) for name, each in rates.items()}
    rows: list[ArmResult] = []
    for name, gap in gaps.items():
        over = {base: crossed(minus(gap, gaps[base]), 1, count) for base in _bases(name)}
        beside = {f"FNMR {kind}, %": crossed(rate, 1, count) for kind, rate in rates[name].items()}
        rows.append(ArmResult(name, crossed(gap, 1, count), over, beside=beside))
    title = f"At a false match rate of {fmr:g}; {way.title}"
    table = ResultTable(f"{way.key}_fmr_{fmr:g}", title, "gap of FNMR, points", tuple(adjusted_rows(rows)))
    verdicts: list[Verdict] = []
    for arm in (GENERATED, with_usual(GENERATED)):
        changes = {kind: crossed(minus(rates[arm][kind], rates[PHOTO][kind]), 1, count) for kind in kinds}
        _, control = _bases(arm)
        better = crossed(minus(rates[arm]["expressive"], rates[control]["expressive"]), 1, count)
        verdicts += [_falls(table, arm, changes), _falls_more(table, arm, control, better)]
    return table, verdicts


def _bases(arm: str) -> list[str]:
    """What an arm is held against: the photo, and where faces were generated also copies of it."""
    controls = {GENERATED: COPY, with_usual(GENERATED): with_usual(COPY)}
    return [] if arm == PHOTO else [PHOTO, controls[arm]] if arm in controls else [PHOTO]


def _errors(scores: Scores, people: np.ndarray, fmr: float) -> Bool[np.ndarray, " probes"]:
    """Which genuine pairs are taken for two people at the threshold of this rate."""
    genuine = np.arange(scores.shape[1])[None] == people[:, None]
    return scores[genuine] < threshold_at(scores[~genuine], fmr)


def _rate(errors: np.ndarray, chosen: np.ndarray, people: np.ndarray, count: int) -> Statistic:
    wrong = np.bincount(people[chosen], errors[chosen].astype(np.float64), count)
    all_ = np.bincount(people[chosen], minlength=count).astype(np.float64)

    def rate(_: np.ndarray, of_people: np.ndarray) -> np.ndarray:
        total = of_people @ all_
        return np.divide(of_people @ wrong, total, out=np.full(len(total), np.nan), where=total > 0)

    return rate


def _falls(table: ResultTable, arm: str, changes: Mapping[str, Effect]) -> Verdict:
    """Whether the gap falls by so much, with the whole interval of its change below 0, since expressive photos are told
    better: a template that fits calm photos worse has a smaller gap, too, and is no gain."""
    aim = f"{table.key}: the gap falls by {100 * LEAST_FALL:.0f}% or more with {arm}, and no rate rises"
    rows = {row.arm: row for row in table.rows}
    before, after = rows[PHOTO].value, rows[arm].value
    change, p = rows[arm].over[PHOTO], rows[arm].adjusted[PHOTO]
    if not before.value > 0 or not np.isfinite(change.low):
        return Verdict(aim, None, f"the gap of the photo alone is {shown(before)} points: there is none to close")
    fall = 1 - after.value / before.value
    told = f"{before.value * 100:.1f} to {after.value * 100:.1f} points, {100 * abs(fall):.0f}% "
    told += f"{'more' if fall < 0 else 'less'}; change {shown(change, signed=True)}, p {p:.3f} after Holm; FNMR "
    told += ", ".join(f"{kind} {shown(each, signed=True)}" for kind, each in changes.items())
    honest = changes["calm"].value <= 0 and changes["expressive"].high < 0
    return Verdict(aim, fall >= LEAST_FALL and change.high < 0 and p < SURE and honest, told)


def _falls_more(table: ResultTable, arm: str, control: str, better: Effect) -> Verdict:
    """Whether that is more than copies of the photo do, expressive photos being told better than with these."""
    row = next(row for row in table.rows if row.arm == arm)
    change, p = row.over[control], row.adjusted[control]
    aim = f"{table.key}: the gap falls by more with {arm} than with {control}"
    if not np.isfinite(change.low):
        return Verdict(aim, None, "there is no interval")
    told = f"{shown(change, signed=True)} points, p {p:.3f} after Holm; FNMR expressive {shown(better, signed=True)}"
    return Verdict(aim, change.high < 0 and p < SURE and better.value < 0, told)
