"""train_generator: load → pretrain discriminators → fit → evaluate → register."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from mien.flows.at_work import at_work
from mien.flows.parameters import (
    GENERATOR,
    ROOT,
    RUN,
    Count,
    Minutes,
    ModelUri,
    RootUrl,
    Seed,
    SetName,
    SizePx,
    Workers,
)
from mien.flows.result import FlowResult, as_link
from mien.flows.scrubbed_flow import flow
from mien.flows.settings import read_settings
from mien.model.networks.config import GeneratorKind
from mien.model.training.recipes import Recipe
from mien.storage import Root
from mien.tasks.errors import checking_arguments
from mien.tasks.evaluate import Evaluation, EvaluationSettings, as_brief, as_table
from mien.tasks.evaluate.second_embedder import check_embedder
from mien.tasks.evaluate.steps import evaluate
from mien.tasks.generator.weights import RegisteredModel, check_generator
from mien.tasks.sets.consent import with_consent
from mien.tasks.sets.faces import face_tables
from mien.tasks.sets.licences import check_sets
from mien.tasks.tracking import find_trained, run_address, why_not_champion
from mien.tasks.tracking.steps import fetch_model
from mien.tasks.train.options import TrainOptions, check_limit, resolve_settings
from mien.tasks.train.processes import dismiss, kind_of_training, rank_of_torchrun
from mien.tasks.train.register import champion_uri, rivals
from mien.tasks.train.steps import register, train
from mien.tasks.train.train import training_fingerprint


@dataclass(frozen=True)
class TrainedGenerator(FlowResult):
    """The registered version of a training."""

    model: RegisteredModel
    stopped: str
    """Why training ended; "found" if it had been done before."""
    evaluation: Evaluation | None = None
    """None if it had been done before: MLflow has it."""
    promotion: str = ""
    """Why it is the champion or not."""
    left_out: tuple[str, ...] = ()
    """A line on photos that consent left out."""
    mlflow_run: str = ""
    """Address of the run."""
    champion: str = "another"
    """`models:/name/version` of the present champion; empty if there is none."""

    def report(self) -> str:
        if self.evaluation is None:
            return "\n".join([*self.lines(), "", f"- {as_link('MLflow run', self.mlflow_run)}"])
        last = [self.lines()[-1], *self.left_out, "", f"- {as_link('MLflow run', self.mlflow_run)}"]
        return "\n".join([as_table(self.evaluation), "", *last])

    def lines(self) -> list[str]:
        champion = self._champion()
        if self.evaluation is None:
            why = f": {self.promotion}" if self.promotion and not self.model.champion else ""
            return [*self.left_out, f"{self.model.uri} came of this training before{champion}{why}"]
        return [
            *self.left_out,
            *as_brief(self.evaluation).splitlines(),
            "",
            "all measures, with their spread: evaluation.md of its run in MLflow, or mien evaluate",
            f"{self.model.uri} is registered{champion}: {self.promotion} (training ended by: {self.stopped})",
        ]

    def _champion(self) -> str:
        if self.model.champion:
            return " and is the champion"
        return f"; the champion stays {self.champion}" if self.champion else "; it is not champion, and none is"


def check_arguments(
    *,
    sets: list[str],
    root: str,
    minutes: float | None,
    steps: int | None,
    recipe: Recipe,
    settings: dict[str, Any] | str | None,
    commercial: bool,
    devices: int,
) -> None:
    """Raises UsageError if these cannot be right. Cheap: it runs before any server or worker starts."""
    given = read_settings(settings, recipe, kind_of_training(devices))
    chosen = TrainOptions(minutes=minutes, steps=steps).over(given.train)
    check_limit(chosen.minutes, chosen.steps)
    with checking_arguments():
        chosen.part_size(devices)
        opened_root = Root(root)
        prepared = [face_tables(opened_root, name) for name in sets]
        if commercial:
            check_sets(opened_root, prepared)


@dataclass(frozen=True)
class Followed(FlowResult):
    """Of a process that took part in the training of another one, which says what came of it."""

    def lines(self) -> list[str]:
        return []


def in_place() -> Followed | None:
    """What a process does instead that torchrun has started, and that is not the first one: it takes part in the
    training of that one. Only the first one has MLflow and Prefect."""
    if not rank_of_torchrun():
        return None
    from mien.tasks.train.member import take_part_by_torchrun

    take_part_by_torchrun()
    return Followed()


@flow(name="train-generator", flow_run_name="train on {sets}")
@at_work
def train_generator(
    *,
    sets: Annotated[list[SetName], Field(min_length=1)],
    root: RootUrl = ROOT,
    minutes: Minutes | None = None,
    steps: Count | None = None,
    generator: Annotated[GeneratorKind | None, GENERATOR] = None,
    size: Annotated[SizePx | None, GENERATOR] = None,
    seed: Annotated[Seed | None, GENERATOR] = None,
    from_: Annotated[ModelUri | None, GENERATOR] = None,
    recipe: Annotated[Recipe, GENERATOR] = "default",
    settings: Annotated[dict[str, Any] | str | None, GENERATOR] = None,
    require_consent: Annotated[bool, RUN] = False,
    commercial: Annotated[bool, RUN] = False,
    devices: Annotated[Count, RUN] = 1,
    workers: Workers = None,
) -> TrainedGenerator:
    """Train a generator on prepared sets, measure it on held-out people and register it.

    It becomes champion if it keeps to the rules of docs/promotion.md; `mien promote` decides otherwise.

    The recipe is the start, `settings` change it, and generator, size, minutes, steps and seed win over both.

    Args:
        sets: Prepared sets; their training people are trained on.
        root: Where the tables lie: a folder or any fsspec URL such as s3://bucket/prefix.
        minutes: Minutes to train; give this or steps, here or in the settings.
        steps: Steps to train; repeats exactly.
        generator: Kind of generator: motion moves the source, residual draws every pixel. The settings' if empty.
        size: Side at which the generator looks at faces, in pixels, at most the crop size of the sets; the settings' if
            empty. Generated faces may have any (--output-size of mien augment).
        seed: Another seed, another training. The settings' if empty.
        from_: Registered generator whose weights the training begins with, models:/NAME@ALIAS or models:/NAME/VERSION;
            a fresh one if empty. Its people are no test of the result.
        recipe: default, or patent: the patent application as written.
        settings: A mapping of sections such as {"train": {"batch_size": 8}}, or the path or URL of a TOML file that has
            them; docs/settings.md lists them.
        require_consent: Train on, and measure with, photos only for which consent was given.
        commercial: Refuse sets whose faces were found with weights that exclude commercial use.
        devices: GPUs to train on, or processes that share the CPU where there is none: each computes its part of every
            batch. The training is the same on any number, but for last digits and pairs drawn.
        workers: Worker processes for the evaluation; one per core if empty.
    """
    check_arguments(
        sets=sets,
        root=root,
        minutes=minutes,
        steps=steps,
        recipe=recipe,
        settings=settings,
        commercial=commercial,
        devices=devices,
    )
    opened_root = Root(root)
    consenting = with_consent(opened_root, [face_tables(opened_root, name) for name in sets], require_consent)
    prepared, left_out = consenting.sets, tuple(consenting.lines())
    options = TrainOptions(generator, size, minutes, steps, seed)
    given = read_settings(settings, recipe, kind_of_training(devices))
    start = None if from_ is None else fetch_model(opened_root, from_)
    if start is not None and commercial:
        check_generator(opened_root, start)
    resolved = resolve_settings(opened_root, prepared, given.train, options, start)
    training = training_fingerprint(prepared, resolved, start)
    if found := find_trained(opened_root, training):
        dismiss()
        run, why_not = run_address(opened_root, found.run_id), why_not_champion(opened_root, found)
        return TrainedGenerator(found, "found", None, why_not, left_out, run, champion_uri(opened_root))
    check_embedder(given.promotion.embedder, "promotion.embedder")

    # Load, pretrain the discriminators, fit
    trained = train(opened_root, prepared, resolved, training, recipe, start, devices)

    # Evaluate
    measured = EvaluationSettings(embedder=given.promotion.embedder)
    evaluation = evaluate(opened_root, trained.sha256, prepared, measured, workers, rivals(opened_root))

    # Register
    registered = register(opened_root, trained, evaluation, given.promotion, workers)
    run, now = run_address(opened_root, registered.model.run_id), champion_uri(opened_root)
    return TrainedGenerator(registered.model, trained.stopped, evaluation, registered.promotion, left_out, run, now)
