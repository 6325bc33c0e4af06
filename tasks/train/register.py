"""Registration of a trained generator: measured beside its rivals, registered, and champion if it has won."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mien.model.landmarks.reference import AlignmentSettings, reference_landmarks
from mien.storage import Root
from mien.tasks import tracking
from mien.tasks.evaluate import Evaluation, as_json, as_table, evaluate
from mien.tasks.evaluate.results import GENERATED
from mien.tasks.evaluate.sheets import draw_sheet
from mien.tasks.generator.weights import RegisteredModel, load_model
from mien.tasks.sets.faces import FaceTables, prepare_settings
from mien.tasks.tracking import TrackedRun, fetch_model
from mien.tasks.train.model_card import model_card
from mien.tasks.train.promote import as_text, decide_promotion, in_evaluation
from mien.tasks.train.train import EXPORTED, TrainedWeights
from mien.tasks.train.work_folder import work_folder

METRIC = "val.generated.l1"


@dataclass(frozen=True)
class Registered:
    """The version that came of a training, and why it is champion or not."""

    model: RegisteredModel
    promotion: str


def rivals(root: Root) -> list[RegisteredModel]:
    """What a trained generator is measured beside: the champion, and the newest of the patent's kind."""
    found = (tracking.champion(root), tracking.newest_of_kind(root, "residual"))
    return [fetch_model(root, uri) for uri in dict.fromkeys(model.uri for model in found if model)]


def register(
    root: Root, sets: Sequence[FaceTables], trained: TrainedWeights, evaluation: Evaluation, workers: int | None
) -> Registered:
    """Registers the trained generator; it becomes champion if it wins against the present one."""
    champion = tracking.champion(root)
    if champion is not None and not in_evaluation(evaluation, champion):  # it has changed since, by another training
        others = [fetch_model(root, champion.uri)]
        evaluation = evaluate(root, trained.sha256, sets, evaluation.settings, workers, others)
    decision = decide_promotion(evaluation, champion)
    with tracking.tracked_run(root, "register", trained.run_id) as run:
        _log_evaluation(root, run, evaluation, trained.steps)
        run.text("promotion.md", as_text(decision))
        run.tags({"mien.promoted": str(decision.promoted).lower(), tracking.PROMOTION_TAG: decision.reason})
        model = tracking.register(
            root,
            run,
            tracking.Registration(
                folder=work_folder(root, trained.training) / EXPORTED,
                card=model_card(root, sets, trained, evaluation),
                example=_example(root, sets),
                training=trained.training,
                weights_sha256=trained.sha256,
                validation_metric=validation_metric(evaluation),
                metric_name=METRIC,
                generator=load_model(root, trained.sha256).generator.config.kind,
                champion=decision.promoted,
                promotion=decision.reason,
            ),
        )
    return Registered(model, decision.reason)


def _log_evaluation(root: Root, run: TrackedRun, evaluation: Evaluation, step: int) -> None:
    run.metrics(evaluation.metrics(), step)
    run.text("evaluation.md", as_table(evaluation))
    run.text("evaluation.json", as_json(evaluation))
    for plan in evaluation.sheets:
        run.picture(f"evaluation/{plan.name}.png", draw_sheet(root, evaluation.inputs, plan))


def validation_metric(evaluation: Evaluation) -> float:
    """What versions are compared by first: mean L1 of generated faces to the target photos of held-out people."""
    section = evaluation.section(evaluation.deciding_split, "same")
    return section.means[GENERATED]["l1"].value if section else float("nan")


def _example(root: Root, sets: Sequence[FaceTables]) -> dict[str, np.ndarray]:
    """An input of the served model, of no real person: a grey square with the landmarks of the reference face."""
    prepared = prepare_settings(root, sets[0])
    alignment = AlignmentSettings(**prepared["alignment"])
    landmarks = reference_landmarks(alignment)[None].astype(np.float32)
    side_px = alignment.size_px
    return {
        "source": np.full((1, side_px, side_px, 3), 128, np.uint8),
        "source_landmarks": landmarks,
        "target_landmarks": landmarks,
    }
