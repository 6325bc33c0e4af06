"""Who is champion: the trained generator, the present champion and what needs no training, by one evaluation."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mien.model.evaluation.bootstrap import Estimate
from mien.model.evaluation.promotion import Candidate, Champion, Decision, Values, decide
from mien.model.evaluation.promotion_settings import HIGHER_IS_BETTER, MEASURES, Baseline, Measure, PromotionSettings
from mien.model.graphs.dlib_weights import EMBEDDING
from mien.storage import Root
from mien.tasks.evaluate.results import COPY, GENERATED, WARP, Evaluation
from mien.tasks.evaluate.tables import Table
from mien.tasks.generator.registered import RegisteredModel
from mien.tasks.generator.weights import provenance_of
from mien.tasks.sets.faces import detector_of
from mien.tasks.sets.licences import set_licences

BEHIND_TAG = "mien.behind_best"
"""How much a version is behind the best champion, by measure, should it become champion."""
MEASURES_TAG = "mien.measures"
"""What a version was measured with, and its values."""
BASELINES: dict[Baseline, str] = {"copy": COPY, "warp": WARP}
_SAME: dict[Measure, str] = {name: name for name in MEASURES if not name.startswith("cross_") and name != "leak"}
_CROSS: dict[Measure, str] = {
    "cross_identity_distance": "identity_distance",
    "cross_other_similarity": "other_similarity",
    "leak": "leak",
}


@dataclass(frozen=True)
class Rival:
    """The present champion."""

    model: RegisteredModel
    tags: Mapping[str, str]

    @property
    def behind(self) -> dict[Measure, float]:
        """As it was kept when it became champion; of one that another version of mien registered, nothing."""
        kept: Any = json.loads(self.tags.get(BEHIND_TAG, "{}"))
        return {name: float(kept[name]) for name in MEASURES if name in kept}


def decide_promotion(
    evaluation: Evaluation, updates: int, rival: Rival | None, settings: PromotionSettings
) -> Decision:
    """Whether the evaluated generator becomes champion; the present champion must be `in_evaluation` too.

    Args:
        evaluation: Of the new generator.
        updates: That its weights have seen.
        rival: None if there is no champion.
        settings: Floors and margins.
    """
    candidate = Candidate(_values(evaluation, GENERATED), updates)
    simple: dict[Baseline, Values] = {name: _values(evaluation, BASELINES[name]) for name in settings.baselines}
    champion = None if rival is None else Champion(_values(evaluation, _method(evaluation, rival.model)), rival.behind)
    return decide(candidate, simple, champion, settings)


def in_evaluation(evaluation: Evaluation, model: RegisteredModel) -> bool:
    """Whether it was measured there."""
    return model.sha256 in evaluation.inputs.generators.values()


def _method(evaluation: Evaluation, model: RegisteredModel) -> str:
    return next(name for name, sha256 in evaluation.inputs.generators.items() if sha256 == model.sha256)


def promotion_tags(evaluation: Evaluation, decision: Decision) -> dict[str, str]:
    """What the version keeps of the comparison, for those that come after it."""
    values: dict[Measure, float] = {
        n: value for n, value in _values(evaluation, GENERATED).items() if math.isfinite(value)
    }
    measured = {
        "split": evaluation.deciding_split,
        "faces": {tables.name: tables.faces for tables in evaluation.inputs.sets},
        "values": _rounded(values),
    }
    return {MEASURES_TAG: json.dumps(measured), BEHIND_TAG: json.dumps(_rounded(decision.behind))}


def _rounded(values: Values) -> dict[str, float]:
    return {name: round(value, 9) for name, value in values.items()}


def _values(evaluation: Evaluation, method: str) -> dict[Measure, float]:
    """Of the deciding split; NaN where something could not be measured."""
    split = evaluation.deciding_split
    same, cross = evaluation.section(split, "same"), evaluation.section(split, "cross")
    one = same.means.get(method, {}) if same else {}
    two = cross.means.get(method, {}) if cross else {}
    found: dict[Measure, Estimate | None] = {name: one.get(measure) for name, measure in _SAME.items()}
    found |= {name: two.get(measure) for name, measure in _CROSS.items()}
    return {name: estimate.value if estimate else math.nan for name, estimate in found.items()}


def identity_judge(root: Root, evaluation: Evaluation) -> str:
    """Which embedder has judged identity, and whether the training had learned from it; one clause."""
    if evaluation.inputs.embedder is not None:
        return f"identity also judged by {evaluation.inputs.embedder}, which the training did not learn from"
    sets = evaluation.inputs.sets
    if not sets:
        return "identity was not judged"
    detector = detector_of(root, sets[0])
    trained: Any = provenance_of(root, evaluation.inputs.sha256).get("settings", {})
    learned = bool(trained.get("weights", {}).get("identity", 0)) and EMBEDDING in (set_licences(root, sets[0]) or {})
    if learned:
        return "identity judged only by the embedding of dlib, which the training learned from"
    return f"identity judged by the embedder of {detector}, which the training did not learn from"


def as_text(decision: Decision, judge: str) -> str:
    """Markdown: the comparisons, what came of them, and who judged identity."""
    verdict = f"{'Promoted' if decision.promoted else 'Not promoted'}: {decision.reason}.\n\nNote: {judge}."
    if not decision.comparisons:
        return verdict
    rows = tuple(
        (
            c.measure + (" (higher is better)" if c.measure in HIGHER_IS_BETTER else ""),
            c.other,
            f"{c.new:.4f}",
            f"{c.value:.4f}",
            f"{c.worse_by:+.4f}",
            "must be better" if c.allowed is None else f"{c.allowed:.4f}",
            "yes" if c.passed else "no",
        )
        for c in decision.comparisons
    )
    head = ("measure", "against", "new", "other", "worse by", "allowed", "passed")
    return f"{Table('The new generator against others', head, rows).markdown()}\n\n{verdict}"
