"""train_generator: load → pretrain discriminators → fit → evaluate → register."""

from __future__ import annotations

from dataclasses import dataclass

from prefect import flow

from mien.model.networks.generator import GeneratorKind
from mien.storage import Root
from mien.tasks.evaluate import Evaluation, as_brief
from mien.tasks.evaluate.steps import evaluate
from mien.tasks.generator.weights import RegisteredModel
from mien.tasks.sets.faces import face_tables
from mien.tasks.sets.licences import check_sets
from mien.tasks.tracking import find_trained
from mien.tasks.train.register import rivals
from mien.tasks.train.steps import register, train
from mien.tasks.train.train import default_settings, training_fingerprint


@dataclass(frozen=True)
class TrainedGenerator:
    """The registered version of a training."""

    model: RegisteredModel
    stopped: str
    """Why training ended; "found" if it had been done before."""
    evaluation: Evaluation | None = None
    """None if it had been done before: MLflow has it."""
    promotion: str = ""
    """Why it is the champion or not."""


@flow(name="train-generator", flow_run_name="train on {data}")
def train_generator(
    data: list[str],
    root: str = "./data",
    generator: GeneratorKind = "motion",
    size: int = 128,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    workers: int | None = None,
    commercial: bool = False,
) -> TrainedGenerator:
    """Train a generator on prepared sets, measure it on held-out people and register it.

    Args:
        data: Prepared sets; their training people are trained on.
        root: Where the tables lie: a folder or any fsspec URL such as s3://bucket/prefix.
        generator: Kind of generator: motion moves the source, residual draws every pixel.
        size: Side of the generated faces, in pixels: 64, 96, 128, 256 or 512, at most the crop size of the sets.
        minutes: How long to train; give this or steps.
        steps: How many steps to train; repeats exactly.
        seed: Another seed, another training.
        workers: Worker processes for the evaluation; one per core if empty.
        commercial: Refuse sets whose faces were found with weights that exclude commercial use.
    """
    place = Root(root)
    sets = [face_tables(place, name) for name in data]
    if commercial:
        check_sets(place, sets)
    settings = default_settings(place, sets, generator, size, minutes, steps, seed)
    training = training_fingerprint(sets, settings)
    if found := find_trained(place, training):
        return TrainedGenerator(found, "found")

    # Load, pretrain the discriminators, fit
    trained = train(place, sets, settings, training)

    # Evaluate
    evaluation = evaluate(place, trained.sha256, sets, workers=workers, against=rivals(place))

    # Register
    registered = register(place, sets, trained, evaluation, workers)
    return TrainedGenerator(registered.model, trained.stopped, evaluation, registered.promotion)


def outcome(trained: TrainedGenerator) -> list[str]:
    """Lines that say what came of the training."""
    champion = " and is the champion" if trained.model.champion else "; the champion stays another"
    if trained.evaluation is None:
        return [f"{trained.model.uri} came of this training before{champion}"]
    return [
        as_brief(trained.evaluation),
        "",
        "all measures, with their spread: evaluation.md of its run in MLflow, or mien evaluate",
        f"{trained.model.uri} is registered{champion}: {trained.promotion} (training ended by: {trained.stopped})",
    ]
