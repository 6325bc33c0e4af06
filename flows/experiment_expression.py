"""experiment_expression: choose folds → make faces → train recognisers → report."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from mien.flows.at_work import at_work
from mien.flows.experiment_faces import FinishedExperiment, run_augment, run_placebo, show_experiment, table_of
from mien.flows.parameters import (
    CHAMPION,
    EXPERIMENT,
    OUTPUT,
    ROOT,
    RUN,
    Count,
    Device,
    ModelUri,
    RootUrl,
    Seed,
    SetName,
    Text,
    Workers,
)
from mien.flows.scrubbed_flow import flow
from mien.flows.settings import read_settings
from mien.model.devices import chosen_devices
from mien.model.quality.gate import GateSettings
from mien.storage import Root
from mien.tasks.errors import checking_arguments
from mien.tasks.experiment.expression import FoldFaces, Posed, choose_posed
from mien.tasks.experiment.steps import run_expression
from mien.tasks.generator.registered import RegisteredModel
from mien.tasks.runtime.fan_out import shard_threads
from mien.tasks.runtime.workers import worker_pool
from mien.tasks.sets.faces import crop_size_px, face_tables
from mien.tasks.sets.subset import make_subset
from mien.tasks.tracking.steps import fetch_model
from mien.tasks.transfer.steps import gate_for

SHARES = [1.0, 0.1]


def check_arguments(*, set: str, root: str, device: str, settings: dict[str, Any] | str | None) -> None:
    """Raises UsageError if these cannot be right. Cheap: it runs before any server or worker starts."""
    with checking_arguments():
        chosen_devices(device)
        read_settings(settings)
        face_tables(Root(root), set)


@flow(name="experiment-expression", flow_run_name="expressions of {set}", task_runner=shard_threads())
@at_work
def experiment_expression(
    *,
    set: SetName,
    prefix: SetName | None = None,
    root: RootUrl = ROOT,
    model: ModelUri = CHAMPION,
    folds: Annotated[int, Field(ge=2), EXPERIMENT] = 3,
    shares: Annotated[list[Annotated[float, Field(gt=0, le=1)]] | None, EXPERIMENT] = None,
    per_identity: Annotated[Count, EXPERIMENT] = 40,
    seeds: Annotated[int, Field(ge=1), EXPERIMENT] = 5,
    updates: Annotated[Count, EXPERIMENT] = 400,
    seed: Annotated[Seed, EXPERIMENT] = 0,
    page: Annotated[Text | None, OUTPUT] = None,
    device: Device = "auto",
    workers: Workers = None,
    settings: Annotated[dict[str, Any] | str | None, RUN] = None,
) -> FinishedExperiment:
    """Measure what generated faces bring to the recognition of labelled expressions.

    Recognisers are tested on people who are new to them and to the generator; a generated face has its driver's label.

    Args:
        set: Prepared set with labels of expressions.
        prefix: Of the sets that are made: {prefix}-fold-0-100 and so on; {set}-expression if empty.
        root: Where the tables lie: a folder or any fsspec URL such as s3://bucket/prefix.
        model: Registered generator, models:/NAME@ALIAS or models:/NAME/VERSION.
        folds: Parts of the people who are new to the generator, each of which is tested in turn.
        shares: Shares of the other people's photos that are trained on; 1 and 0.1 if empty.
        per_identity: Generated faces of each person in training.
        seeds: Recognisers trained of each arm and fold.
        updates: Of each recogniser.
        seed: Of folds, shares, plans and bootstrap.
        page: Folder for the page; {root}/experiment-pages/{prefix} if empty.
        device: {devices}
        workers: {workers}
        settings: A mapping of sections, or the path or URL of a TOML file that has them; docs/settings.md lists them.
            The sections planning, gate, output and work of the transfer jobs count.
    """
    check_arguments(set=set, root=root, device=device, settings=settings)
    opened_root, called = Root(root), prefix or f"{set}-expression"
    registered = fetch_model(opened_root, model)
    with worker_pool(workers, read_settings(settings).work):
        posed = choose_posed(opened_root, face_tables(opened_root, set), registered.sha256, folds, seed)
        made = [
            _fold(opened_root, called, posed, fold, share, registered, per_identity, seed, device, settings)
            for share in shares or SHARES
            for fold in range(folds)
        ]
        people = sum(len(fold) for fold in posed.folds)
        about = (
            f"{people} people of {set} are told in {folds} folds; classes {', '.join(posed.classes)}",
            f"generator: {registered.uri}; {per_identity} faces of each person in training",
            f"{seeds} seeds, {updates} updates",
        )
        found = run_expression(opened_root, posed, made, seeds, updates, seed, about)
    asked: dict[str, Any] = {
        "set": set,
        "model": registered.uri,
        "folds": folds,
        "per_identity": per_identity,
        "seeds": seeds,
    }
    tables = posed.tables.refs(opened_root)
    return show_experiment(opened_root, called, found, None, [], asked | {"updates": updates}, tables, page)


def _fold(
    root: Root,
    experiment: str,
    posed: Posed,
    fold: int,
    share: float,
    registered: RegisteredModel,
    faces: int,
    seed: int,
    device: str,
    settings: dict[str, Any] | str | None,
) -> FoldFaces:
    """The photos of a fold, and the faces that are made among those that are trained on."""
    name = f"{experiment}-fold-{fold}-{round(100 * share)}"
    train, test = posed.trained(fold, share, seed), posed.tested(fold)
    tables = make_subset(root, name, posed.tables, [face.face_id for face in train])
    gate_for(root, tables, None, GateSettings(), crop_size_px(root, tables))
    common: dict[str, Any] = {"seed": seed, "device": device, "settings": settings}
    themselves: dict[str, Any] = {"identities": name, "expressions": name, "per_identity": faces}
    generated = run_augment(root, registered, set=f"{name}-generated", **themselves, **common)
    placebo = run_placebo(root, registered, name, tables, [face.image_id for face in train], **common)
    return FoldFaces(fold, share, tuple(train), tuple(test), table_of(generated), table_of(placebo))
