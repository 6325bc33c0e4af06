"""The evaluation itself: plan the pairs, measure them in worker processes, summarise."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from mien.model.detection.load import computes_on_device
from mien.storage import Root
from mien.tasks.errors import UsageError
from mien.tasks.evaluate.measure import MeasuredPair, measure_chunk
from mien.tasks.evaluate.other_photos import SOURCES, with_others
from mien.tasks.evaluate.pairs import cross_person, held_out_rows, same_person, telling_pairs
from mien.tasks.evaluate.results import (
    Evaluation,
    EvaluationInputs,
    EvaluationPair,
    EvaluationSettings,
    Kind,
    Section,
    SheetPlan,
)
from mien.tasks.evaluate.sheets import UNCHOSEN, cross_person_sheets, same_person_sheets, unchosen_sheet
from mien.tasks.evaluate.summary import summarise, summarise_sources
from mien.tasks.evaluate.unseen import without_seen
from mien.tasks.generator.neutrals import keep_neutrals
from mien.tasks.generator.registered import RegisteredModel, short_name
from mien.tasks.runtime.workers import on_device, work_progress, worker_pool
from mien.tasks.sets.faces import FaceTables, detector_of

CHUNK = 16
_DEFAULTS = EvaluationSettings()


def evaluate(
    root: Root,
    sha256: str,
    sets: Sequence[FaceTables],
    settings: EvaluationSettings = _DEFAULTS,
    workers: int | None = None,
    against: Sequence[RegisteredModel] = (),
) -> Evaluation:
    """Measures the generator with these weights on the held-out people of the sets, beside the baselines and `against`.

    Raises:
        UsageError: nobody is held out, or no held-out person has two usable photos, or the generator was trained on
            all of them.
    """
    rivals = {model.sha256: short_name(model.uri) for model in against if model.sha256 != sha256}
    neutrals = keep_neutrals(root, sets, sha256, settings.retarget)
    named = tuple((name, weights) for weights, name in rivals.items())
    inputs = EvaluationInputs(sha256, named, tuple(sets), settings.retarget, neutrals, settings.embedder)
    by_split, notes = without_seen(root, held_out_rows(root, sets), inputs.generators)
    planned: dict[tuple[str, Kind], list[EvaluationPair]] = {}
    several: list[Section] = []
    for split, held_out in by_split.items():
        same = same_person(held_out, settings.pairs, settings.seed)
        cross = cross_person(held_out, settings.cross_pairs, settings.seed)
        planned[split, "same"], planned[split, "cross"] = (
            with_others(root, sets, held_out, pairs, settings.seed) for pairs in (same, cross)
        )
    if not any(pairs for (_, kind), pairs in planned.items() if kind == "same"):
        raise UsageError("no held-out person has two usable photos: add people, or raise --val-fraction in prepare")
    sections: list[Section] = []
    sheets: list[SheetPlan] = []
    with worker_pool(workers), work_progress("evaluate", sum(map(len, planned.values())), "pairs"):
        for (split, kind), pairs in planned.items():
            if pairs:
                share = settings.several_pairs if kind == "same" else 0
                measured = _measure_all(root, inputs, kind, pairs, share)
                sections.append(summarise(split, kind, measured, settings.seed))
                from_several = summarise_sources(split, measured, settings.seed)
                several += [from_several] if from_several else []
                sheets += (same_person_sheets if kind == "same" else cross_person_sheets)(split, measured)
            if pairs and kind == "cross":
                telling = telling_pairs(root, sets, by_split[split], UNCHOSEN, settings.seed)
                sheets += unchosen_sheet(split, with_others(root, sets, by_split[split], telling, settings.seed))
    return Evaluation(inputs, settings, tuple(sections), tuple(sheets), tuple(several), notes)


def _measure_all(
    root: Root, inputs: EvaluationInputs, kind: Kind, pairs: list[EvaluationPair], from_several: int
) -> list[MeasuredPair]:
    """All pairs; the first so many also from several photos of the person."""
    parts = ((pairs[:from_several], SOURCES), (pairs[from_several:], ()))
    chunks = [(part[n : n + CHUNK], counts) for part, counts in parts for n in range(0, len(part), CHUNK)]
    networks = computes_on_device(detector_of(root, inputs.sets[0]))
    with ThreadPoolExecutor() as threads:
        done = threads.map(lambda chunk: on_device(networks, measure_chunk, root, inputs, kind, *chunk), chunks)
        return [measured for chunk in done for measured in chunk]
