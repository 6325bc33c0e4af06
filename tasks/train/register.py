"""Registration of a trained generator: measured beside its rivals, registered, and champion if it has won."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image

from mien.model.evaluation.promotion_settings import PromotionSettings
from mien.storage import Root
from mien.tasks import tracking
from mien.tasks.evaluate import Evaluation, as_json, as_table, evaluate
from mien.tasks.evaluate.results import GENERATED
from mien.tasks.evaluate.sheets import draw_sheets
from mien.tasks.generator.registered import RegisteredModel
from mien.tasks.generator.weights import load_model
from mien.tasks.sets.faces import FaceTables, detector_of
from mien.tasks.sets.licences import training_licences
from mien.tasks.tracking import TrackedRun, fetch_model
from mien.tasks.train.model_card import FULL_CARD, SHEETS, CardFacts, card_sheet, full_card, headline_table, model_card
from mien.tasks.train.promote import (
    Rival,
    as_text,
    decide_promotion,
    identity_judge,
    in_evaluation,
    promotion_tags,
)
from mien.tasks.train.train import EXPORTED, TrainedWeights
from mien.tasks.train.work_folder import work_folder

METRIC = "val/generated.l1"
MAX_CARD_SHEET_PX = 560
"""Longer side."""


@dataclass(frozen=True)
class Registered:
    """The version that came of a training, and why it is champion or not."""

    model: RegisteredModel
    promotion: str


def rivals(root: Root) -> list[RegisteredModel]:
    """What a trained generator is measured beside: the champion, and the newest of the patent's kind."""
    found = (tracking.champion(root), tracking.newest_of_kind(root, "residual"))
    return [fetch_model(root, uri) for uri in dict.fromkeys(model.uri for model in found if model)]


def champion_uri(root: Root) -> str:
    """The version that is champion now; empty if none is."""
    model = tracking.champion(root)
    return model.uri if model else ""


def register(
    root: Root, trained: TrainedWeights, evaluation: Evaluation, rules: PromotionSettings, workers: int | None
) -> Registered:
    """Registers the trained generator; it becomes champion if it keeps to the rules."""
    sets, champion = evaluation.inputs.sets, tracking.champion(root)
    if champion is not None and not in_evaluation(evaluation, champion):  # it has changed since, by another training
        others = [fetch_model(root, champion.uri)]
        evaluation = evaluate(root, trained.sha256, sets, evaluation.settings, workers, others)
    rival = None if champion is None else Rival(champion, tracking.tags_of(root, champion))
    decision = decide_promotion(evaluation, trained.average_step, rival, rules)
    judge = identity_judge(root, evaluation)
    facts = _facts(root, sets, trained)
    with tracking.tracked_run(root, "register", trained.run_id) as run:
        _log_evaluation(root, run, evaluation, trained.steps)
        run.text("promotion.md", as_text(decision, judge))
        run.text(FULL_CARD, full_card(root, sets, trained, evaluation))
        run.tags({"mien.promoted": str(decision.promoted).lower(), tracking.PROMOTION_TAG: decision.reason})
        model = tracking.register(
            root,
            run,
            tracking.Registration(
                folder=work_folder(root, trained.training) / EXPORTED,
                card=partial(model_card, facts, evaluation),
                faces=detector_of(root, sets[0]),
                training=trained.training,
                weights_sha256=trained.sha256,
                validation_metric=validation_metric(evaluation),
                metric_name=METRIC,
                generator=facts.kind,
                champion=decision.promoted,
                promotion=decision.reason,
                tags=promotion_tags(evaluation, decision),
            ),
        )
        run.description(f"{trained.description}\n\n{_outcome(evaluation, model, decision.reason)}")
    return Registered(model, f"{decision.reason} ({judge})")


def _facts(root: Root, sets: Sequence[FaceTables], trained: TrainedWeights) -> CardFacts:
    config = load_model(root, trained.sha256).generator.config
    return CardFacts(
        kind=config.kind,
        size_px=config.size_px,
        run_id=trained.run_id,
        people=trained.people,
        faces=trained.faces,
        sets=tuple(tables.name for tables in sets),
        licences=training_licences(root, sets),
    )


def _outcome(evaluation: Evaluation, model: RegisteredModel, promotion: str) -> str:
    """Markdown for the page of the run: what came of the training."""
    page = f"#/models/{model.uri.removeprefix('models:/').replace('/', '/versions/')}"
    became = "became the champion" if model.champion else "did not become the champion"
    return (
        f"[{model.uri}]({page}) came of it and {became}: {promotion}.\n\n{headline_table(evaluation)}\n\n"
        f"Artifacts: `evaluation.md`, `promotion.md`, `{FULL_CARD}`, `settings.toml`; the sheets are in `evaluation/`."
    )


def _log_evaluation(root: Root, run: TrackedRun, evaluation: Evaluation, step: int) -> None:
    run.metrics(evaluation.metrics(), step)
    run.text("evaluation.md", as_table(evaluation))
    run.text("evaluation.json", as_json(evaluation))
    of_card = card_sheet(evaluation)
    plans = evaluation.sheets if of_card is None else (*evaluation.sheets, of_card)
    for plan, sheet in draw_sheets(root, evaluation.inputs, plans):
        run.picture(f"{SHEETS}/{plan.name}.png", _shrunk(sheet) if plan is of_card else sheet)


def _shrunk(sheet: np.ndarray) -> np.ndarray:
    """The sheet at most as wide as leaves room for the rest of the card, whatever the generator's size."""
    picture = Image.fromarray(sheet)
    picture.thumbnail((MAX_CARD_SHEET_PX, MAX_CARD_SHEET_PX))
    return np.asarray(picture)


def validation_metric(evaluation: Evaluation) -> float:
    """What versions are compared by first: mean L1 of generated faces to the target photos of held-out people."""
    section = evaluation.section(evaluation.deciding_split, "same")
    return section.means[GENERATED]["l1"].value if section else float("nan")
