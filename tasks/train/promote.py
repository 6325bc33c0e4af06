"""Who is champion: the trained generator and the present champion by the measures of one evaluation."""

from __future__ import annotations

import math

from mien.model.evaluation.bootstrap import Estimate
from mien.model.evaluation.promotion import HIGHER_IS_BETTER, Decision, Measure, PromotionSettings, decide
from mien.tasks.evaluate.results import GENERATED, Evaluation
from mien.tasks.evaluate.tables import Table
from mien.tasks.generator.weights import RegisteredModel

_DEFAULTS = PromotionSettings()
_SAME: tuple[Measure, ...] = ("l1", "ssim", "mouth_l1", "eye_l1", "nme", "found", "identity_distance")
_CROSS: dict[Measure, str] = {"cross_identity_distance": "identity_distance", "leak": "leak"}


def decide_promotion(
    evaluation: Evaluation, champion: RegisteredModel | None, settings: PromotionSettings = _DEFAULTS
) -> Decision:
    """Whether the evaluated generator becomes champion; the present champion must be `in_evaluation` too."""
    new = _measures(evaluation, GENERATED)
    if champion is None:
        return decide(new, None, settings)
    method = next(name for name, sha256 in evaluation.inputs.generators.items() if sha256 == champion.sha256)
    return decide(new, _measures(evaluation, method), settings)


def in_evaluation(evaluation: Evaluation, model: RegisteredModel) -> bool:
    """Whether it was measured there."""
    return model.sha256 in evaluation.inputs.generators.values()


def _measures(evaluation: Evaluation, method: str) -> dict[Measure, float]:
    """Of the deciding split; NaN where something could not be measured."""
    split = evaluation.deciding_split
    same, cross = evaluation.section(split, "same"), evaluation.section(split, "cross")
    one = same.means.get(method, {}) if same else {}
    two = cross.means.get(method, {}) if cross else {}
    found: dict[Measure, Estimate | None] = {name: one.get(name) for name in _SAME}
    found |= {name: two.get(measure) for name, measure in _CROSS.items()}
    return {name: estimate.value if estimate else math.nan for name, estimate in found.items()}


def as_text(decision: Decision) -> str:
    """Markdown: the comparison and what came of it."""
    verdict = f"{'Promoted' if decision.promoted else 'Not promoted'}: {decision.reason}."
    if not decision.comparisons:
        return verdict
    rows = tuple(
        (
            c.measure + (" (higher is better)" if c.measure in HIGHER_IS_BETTER else ""),
            f"{c.new:.4f}",
            f"{c.champion:.4f}",
            f"{c.worse_by:+.4f}",
            f"{c.allowed:.4f}",
            "yes" if c.passed else "no",
        )
        for c in decision.comparisons
    )
    table = Table("New against champion", ("measure", "new", "champion", "worse by", "allowed", "passed"), rows)
    return f"{table.markdown()}\n\n{verdict}"
