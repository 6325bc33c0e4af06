"""train_generator: load → pretrain discriminators → fit → evaluate → register."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from prefect import flow

from mien.flows.settings import read_settings
from mien.model.networks.config import GeneratorKind
from mien.model.training.recipes import Recipe
from mien.storage import Root
from mien.tasks.evaluate import Evaluation, as_brief
from mien.tasks.evaluate.steps import evaluate
from mien.tasks.generator.weights import RegisteredModel
from mien.tasks.sets.faces import face_tables
from mien.tasks.sets.licences import check_sets
from mien.tasks.tracking import find_trained
from mien.tasks.train.register import rivals
from mien.tasks.train.steps import register, train
from mien.tasks.train.train import TrainOptions, resolve_settings, training_fingerprint


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
    generator: GeneratorKind | None = None,
    size: int | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int | None = None,
    workers: int | None = None,
    commercial: bool = False,
    recipe: Recipe = "default",
    settings: dict[str, Any] | str | None = None,
) -> TrainedGenerator:
    """Train a generator on prepared sets, measure it on held-out people and register it.

    The recipe is the start, `settings` change it, and generator, size, minutes, steps and seed win over both.

    Args:
        data: Prepared sets; their training people are trained on.
        root: Where the tables lie: a folder or any fsspec URL such as s3://bucket/prefix.
        generator: Kind of generator: motion moves the source, residual draws every pixel. The settings' if empty.
        size: Side of the generated faces, in pixels: 64, 96, 128, 256 or 512, at most the crop size of the sets. The
            settings' if empty.
        minutes: How long to train; give this or steps, here or in the settings.
        steps: How many steps to train; repeats exactly.
        seed: Another seed, another training. The settings' if empty.
        workers: Worker processes for the evaluation; one per core if empty.
        commercial: Refuse sets whose faces were found with weights that exclude commercial use.
        recipe: default, or patent: the patent application as written.
        settings: A mapping of sections such as {"train": {"batch_size": 8}}, or the path or URL of a TOML file that has
            them; docs/settings.md lists them.
    """
    chosen = read_settings(settings, recipe)
    place = Root(root)
    sets = [face_tables(place, name) for name in data]
    if commercial:
        check_sets(place, sets)
    resolved = resolve_settings(place, sets, chosen.train, TrainOptions(generator, size, minutes, steps, seed))
    training = training_fingerprint(sets, resolved)
    if found := find_trained(place, training):
        return TrainedGenerator(found, "found")

    # Load, pretrain the discriminators, fit
    trained = train(place, sets, resolved, training, recipe)

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
