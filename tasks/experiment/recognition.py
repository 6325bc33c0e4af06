"""One photo per person: who is it on the other photos? By recognisers trained from nothing, and by an embedder.

The arms differ in what is added to the photo; updates and pictures per update are the same in all.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from mien.model.evaluation.paired import Effect, effect
from mien.model.recognition.error_rates import auc, best_person
from mien.storage import Root
from mien.tasks.experiment.arms import Arm
from mien.tasks.experiment.judges import JudgeSpec
from mien.tasks.experiment.measure import (
    Scored,
    Scoring,
    Setup,
    Told,
    Training,
    Tuned,
    enrolled_scores,
    score,
    tell,
)
from mien.tasks.experiment.results import Curve, Experiment, Failure, ResultTable, Verdict
from mien.tasks.experiment.subjects import Subjects, check_apart
from mien.tasks.experiment.summary import beats, does_not_beat, effects_table
from mien.tasks.runtime.workers import in_worker, work_progress

USUAL = "usual"
PHOTO, COPY, PLACEBO, WARP, GENERATED, UNGATED = (
    "photo", "copy", "placebo", "warp", "generated", "ungated",
)  # fmt: skip
LEAST_GAIN = 0.03
"""What generated faces are to bring over the usual augmentation: a share of the probes."""


def with_usual(arm: str) -> str:
    """The name of an arm with the usual augmentation."""
    return USUAL if arm == PHOTO else f"{arm} + usual"


@dataclass(frozen=True)
class RecognitionSettings:
    """How much is trained."""

    seeds: int
    updates: int
    judge: JudgeSpec
    doses: tuple[int, ...] = ()
    """Numbers of generated faces for the curve."""
    seed: int = 0
    """Of the bootstrap."""


@dataclass(frozen=True)
class MadeFaces:
    """Tables of `transfers` that the arms take their pictures from."""

    generated: str
    placebo: str
    by_strength: tuple[tuple[float, str], ...] = ()
    """The same with other strengths of the expression."""
    drivers: tuple[str, ...] = ()
    """SHA-256 of the photos whose expressions were taken."""


def arms_of(made: MadeFaces, faces: int) -> list[Arm]:
    """What is compared."""
    return [
        Arm(PHOTO, "photo"),
        Arm(COPY, "copy", None, faces),
        Arm(PLACEBO, "ungated", made.placebo, faces),
        Arm(WARP, "warp", made.generated, faces),
        Arm(GENERATED, "generated", made.generated, faces),
        Arm(UNGATED, "ungated", made.generated, faces),
    ]


def run_recognition(
    root: Root,
    subjects: Subjects,
    setup: Setup,
    made: MadeFaces,
    faces: int,
    settings: RecognitionSettings,
    about: Sequence[str],
) -> Experiment:
    """Trains and measures all arms in the worker processes.

    Raises:
        UsageError: a photo that is to be told is used for training, or no embedder can be trained.
    """
    check_apart([*subjects.photos, *made.drivers], [probe.image_id for probe in subjects.probes])
    arms, curves = arms_of(made, faces), _curve_arms(made, faces, settings)
    with ThreadPoolExecutor(1) as beside:  # the embedder is trained by one core, while others train recognisers
        judged = beside.submit(in_worker, enrolled_scores, root, setup, settings.judge)
        told = _tell_all(root, setup, [*arms, *(arm for _, _, arm in curves)], settings)
        judge_name, own = judged.result()
    scored = {name: found for name, (found, _) in score_arms(root, setup, arms, settings.judge).items()}
    right = {name: _right(each, subjects) for name, each in told.items()}
    named = [name for arm in arms for name in (arm.name, with_usual(arm.name))]
    tables = [
        effects_table(
            "cnn",
            f"A recogniser trained from nothing, {settings.updates} updates, {settings.seeds} seeds",
            "rank-1, %",
            {name: right[name] for name in named},
            _bases(arms),
            subjects.of_probes,
            settings.seed,
        ),
        *_embedder_tables(scored, subjects, judge_name, settings.seed),
    ]
    genuine = np.arange(len(setup.enrolled_ids))[None] == subjects.of_probes[:, None]
    told_auc = auc(own[genuine], own[~genuine])
    lines = [*about, f"embedder that reports: {judge_name}, AUC {told_auc:.3f} on these probes against these photos"]
    return Experiment(
        f"recognition of {setup.tables.name}",
        tuple(lines),
        subjects.notes + _without(told),
        tuple(tables),
        tuple(_verdicts(tables)),
        tuple(_curves(curves, told, subjects, settings)),
        {name: _confusion(told[name], subjects) for name in (with_usual(PHOTO), with_usual(GENERATED))},
        subjects.people,
        tuple(_failures(told[with_usual(GENERATED)], subjects)),
        tuple(f"{name}: {len(each)} seeds" for name, each in told.items()),
    )


# --- Run --------------------------------------------------------------------------------------------------------------


def _curve_arms(made: MadeFaces, faces: int, settings: RecognitionSettings) -> list[tuple[str, float, Arm]]:
    """(curve, where along it, arm). Those that the tables have too are at their place in each curve."""
    out: list[tuple[str, float, Arm]] = []
    plain, warp = Arm(GENERATED, "generated", made.generated, faces), Arm(WARP, "warp", made.generated, faces)
    if settings.doses:
        out += [("dose", faces, plain), ("dose", faces, warp)]
    for dose in (dose for dose in settings.doses if dose != faces):
        out.append(("dose", dose, Arm(f"generated, {dose} faces", "generated", made.generated, dose)))
        out.append(("dose", dose, Arm(f"warp, {dose} faces", "warp", made.generated, dose)))
    if made.by_strength:
        out.append(("strength", 1.0, plain))
    for strength, table in made.by_strength:
        out.append(("strength", strength, Arm(f"generated, strength {strength:g}", "generated", table, faces)))
    if settings.doses:
        marked = replace(plain, name="generated, watermarked", watermark=True)
        out += [("watermark", 0, plain), ("watermark", 1, marked)]
    return out


def _tell_all(root: Root, setup: Setup, arms: Sequence[Arm], settings: RecognitionSettings) -> dict[str, list[Told]]:
    seeds, ways = range(settings.seeds), [Training(settings.updates, augmented) for augmented in (False, True)]
    # An arm that the tables and curves share is trained once. What takes longest to be made goes first, and the placebo
    # last: mostly it is the copy, which was trained by then.
    wanted = sorted(
        {arm.name: arm for arm in arms}.values(),
        key=lambda arm: (not arm.watermark, arm.name == PLACEBO, -arm.faces),
    )
    count = len(wanted) * len(ways) * len(seeds)
    with work_progress("train recognisers", count, "recognisers"), ThreadPoolExecutor() as threads:
        done = threads.map(lambda arm: in_worker(tell, root, setup, arm, ways, seeds), wanted)
        told = dict(zip((arm.name for arm in wanted), done, strict=True))
    plain = {arm.name: told[arm.name][0] for arm in arms}
    return plain | {with_usual(name): told[name][1] for name in plain}


def score_arms(
    root: Root, setup: Setup, arms: Sequence[Arm], judge: JudgeSpec, *, further: bool = False
) -> dict[str, tuple[Scored, Tuned | None]]:
    """By arm, plain and with the usual augmentation. `further`: also by the embedder trained further with each but the
    photo alone."""
    wanted = {arm.name: (arm, False) for arm in arms} | {with_usual(arm.name): (arm, True) for arm in arms}
    faces = max(arm.faces for arm in arms)
    wanted[with_usual(PHOTO)] = (replace(wanted[PHOTO][0], faces=faces), True)

    def scored(name: str) -> tuple[Scored, Tuned | None]:
        arm, augmented = wanted[name]
        how = Scoring(judge, augmented, further and name != PHOTO)
        return in_worker(score, root, setup, arm, how, judge.seed)

    with work_progress("score by the embedder", len(wanted), "arms"), ThreadPoolExecutor() as threads:
        return dict(zip(wanted, threads.map(scored, wanted), strict=True))


# --- Tell -------------------------------------------------------------------------------------------------------------


def _right(told: Sequence[Told], subjects: Subjects) -> np.ndarray:
    return np.array([np.array(each.said) == subjects.of_probes for each in told], np.float64)


def _bases(arms: Sequence[Arm]) -> dict[str, list[str]]:
    bases: dict[str, list[str]] = {with_usual(PHOTO): [PHOTO]}
    for arm in arms[1:]:
        bases[arm.name] = [PHOTO]
        bases[with_usual(arm.name)] = [USUAL]
        if arm.name in (GENERATED, UNGATED):
            bases[arm.name].append(WARP)
            bases[with_usual(arm.name)].append(with_usual(WARP))
    return bases


def _embedder_tables(scored: dict[str, Scored], subjects: Subjects, judge: str, seed: int) -> list[ResultTable]:
    truth = subjects.of_probes
    bases = {name: [PHOTO] if name != PHOTO else [] for name in scored}
    for name in (GENERATED, UNGATED):
        bases[name] = [PHOTO, WARP]
    bases[with_usual(GENERATED)] = [PHOTO, USUAL]
    template = {name: (best_person(np.array(each.template)) == truth)[None] * 1.0 for name, each in scored.items()}
    linear = {name: (np.array(each.linear) == truth)[None] * 1.0 for name, each in scored.items()}
    titles = {"template": "nearest template", "linear": "a linear classifier on the embeddings"}
    return [
        effects_table(key, f"By {judge}: {titles[key]}", "rank-1, %", values, bases, truth, seed)
        for key, values in (("template", template), ("linear", linear))
    ]


def _verdicts(tables: Sequence[ResultTable]) -> list[Verdict]:
    cnn = tables[0]
    return [
        beats(cnn, with_usual(GENERATED), USUAL, LEAST_GAIN),
        does_not_beat(cnn, with_usual(PLACEBO), USUAL),
        does_not_beat(cnn, with_usual(COPY), USUAL),
        beats(cnn, GENERATED, WARP, 0.0),
        beats(cnn, with_usual(GENERATED), with_usual(WARP), 0.0),
        *(beats(table, GENERATED, PHOTO, 0.0) for table in tables[1:]),
        *(beats(table, GENERATED, WARP, 0.0) for table in tables[1:]),
    ]


def _curves(
    arms: Sequence[tuple[str, float, Arm]],
    told: dict[str, list[Told]],
    subjects: Subjects,
    settings: RecognitionSettings,
) -> list[Curve]:
    axes = {
        "dose": "generated faces of each person",
        "strength": "strength of the expression",
        "watermark": "watermark (1: with it)",
    }
    out: list[Curve] = []
    for key in dict.fromkeys(key for key, _, _ in arms):
        lines: dict[str, list[tuple[float, Effect]]] = {}
        for _, x, arm in (each for each in arms if each[0] == key):
            for name, line in ((arm.name, arm.name), (with_usual(arm.name), f"{arm.name} + usual")):
                values = effect(_right(told[name], subjects), subjects.of_probes, settings.seed)
                lines.setdefault(_line_of(line), []).append((x, values))
        points = {name: tuple(sorted(each, key=lambda point: point[0])) for name, each in lines.items()}
        out.append(Curve(key, f"Rank-1 by {axes[key]}", axes[key], "rank-1, %", points))
    return out


def _line_of(arm: str) -> str:
    """`generated + usual` of `generated, 20 faces + usual`."""
    base = arm.partition(",")[0].removesuffix(" + usual")
    return f"{base} + usual" if arm.endswith(" + usual") else base


def _without(told: dict[str, list[Told]]) -> tuple[str, ...]:
    lines = [
        f"{name}: {each[0].without} people have no such face, and copies of their photo in its place"
        for name, each in told.items()
        if each[0].without and not name.endswith("usual")
    ]
    return tuple(lines)


def _confusion(told: Sequence[Told], subjects: Subjects) -> tuple[tuple[int, ...], ...]:
    counts = np.zeros((len(subjects.people), len(subjects.people)), np.int64)
    for each in told:
        np.add.at(counts, (subjects.of_probes, np.array(each.said)), 1)
    return tuple(tuple(row) for row in counts.tolist())


def _failures(told: Sequence[Told], subjects: Subjects) -> list[Failure]:
    said = np.array([each.said for each in told])
    out: list[Failure] = []
    for index, probe in enumerate(subjects.probes):
        names, counts = np.unique(said[:, index], return_counts=True)
        most = int(names[counts.argmax()])
        if most != probe.person:
            out.append(Failure(probe.face_id, probe.person, most, float(counts.max() / len(said))))
    return sorted(out, key=lambda failure: (-failure.share, failure.face_id))
