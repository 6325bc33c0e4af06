"""experiment_recognition: choose people → make faces → train recognisers → report."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from mien.flows.at_work import at_work
from mien.flows.experiment_faces import (
    FinishedExperiment,
    check_arguments,
    enrol,
    judge_of,
    make_faces,
    show_experiment,
)
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
    StrengthList,
    Text,
    Workers,
)
from mien.flows.scrubbed_flow import flow
from mien.flows.settings import read_settings
from mien.storage import Root
from mien.tasks.experiment.recognition import RecognitionSettings, arms_of
from mien.tasks.experiment.steps import run_recognition
from mien.tasks.runtime.fan_out import shard_threads
from mien.tasks.runtime.workers import worker_pool
from mien.tasks.tracking.steps import fetch_model


@flow(
    name="experiment-recognition",
    flow_run_name="recognition of {set} by {expressions}",
    task_runner=shard_threads(),
)
@at_work
def experiment_recognition(
    *,
    set: SetName,
    expressions: SetName,
    prefix: SetName | None = None,
    root: RootUrl = ROOT,
    model: ModelUri = CHAMPION,
    neutral: Annotated[Text | None, EXPERIMENT] = None,
    per_identity: Annotated[Count, EXPERIMENT] = 20,
    seeds: Annotated[int, Field(ge=1), EXPERIMENT] = 5,
    updates: Annotated[Count, EXPERIMENT] = 800,
    doses: Annotated[list[Count] | None, EXPERIMENT] = None,
    strengths: StrengthList | None = None,
    embedder: Annotated[Text | None, EXPERIMENT] = None,
    embedder_sets: Annotated[list[SetName] | None, EXPERIMENT] = None,
    seed: Annotated[Seed, EXPERIMENT] = 0,
    page: Annotated[Text | None, OUTPUT] = None,
    device: Device = "auto",
    workers: Workers = None,
    settings: Annotated[dict[str, Any] | str | None, RUN] = None,
) -> FinishedExperiment:
    """Measure what generated faces bring to the recognition of people who are known by one photo.

    People whom the generator was trained on take no part. All arms have as many updates and pictures per update.

    Args:
        set: Prepared set whose people are told apart.
        expressions: Prepared set whose expressions are taken; of the same set those of other people.
        prefix: Of the sets that are made: {prefix}-enrolled, {prefix}-generated and so on; {set}-recognition if empty.
        root: Where the tables lie: a folder or any fsspec URL such as s3://bucket/prefix.
        model: Registered generator, models:/NAME@ALIAS or models:/NAME/VERSION.
        neutral: Label of calm photos, one of which is the known one of each person; if empty landmarks tell which photo
            is calm.
        per_identity: Generated faces of each person.
        seeds: Recognisers trained of each arm.
        updates: Of each recogniser.
        doses: Other numbers of faces, for a curve.
        strengths: Other strengths of the expressions, for a curve.
        embedder: Embedder that reports, named like a detector, such as insightface: and the folder of a pack. Not dlib,
            which generators learn from. One is trained if empty.
        embedder_sets: Prepared sets to train that one on; people who take part here are left out. The two sets above if
            empty.
        seed: Of the plan, of the embedder and of the bootstrap.
        page: Folder for the page; {root}/experiment-pages/{prefix} if empty.
        device: {devices}
        workers: {workers}
        settings: A mapping of sections, or the path or URL of a TOML file that has them; docs/settings.md lists them.
            The sections planning, gate, output and work of the transfer jobs count.
    """
    check_arguments(
        set=set,
        expressions=expressions,
        root=root,
        embedder=embedder,
        embedder_sets=embedder_sets,
        device=device,
        settings=settings,
    )
    opened_root, called = Root(root), prefix or f"{set}-recognition"
    registered = fetch_model(opened_root, model)
    with worker_pool(workers, read_settings(settings).work):
        enrolled = enrol(opened_root, called, set, expressions, registered, neutral)
        judge = judge_of(opened_root, enrolled, embedder, embedder_sets, seed)
        numbers = per_identity, doses or [], strengths or []
        made, lines = make_faces(opened_root, called, enrolled, registered, *numbers, seed, device, settings)
        chosen = RecognitionSettings(seeds, updates, judge, tuple(doses or ()), seed)
        about = (*enrolled.about, f"{per_identity} faces of each person", *lines)
        found = run_recognition(opened_root, enrolled.subjects, enrolled.setup, made, per_identity, chosen, about)
    asked = {
        "set": set,
        "expressions": expressions,
        "model": registered.uri,
        "per_identity": per_identity,
        "seeds": seeds,
    }
    arms = arms_of(made, per_identity)[2:]
    return show_experiment(
        opened_root,
        called,
        found,
        enrolled.setup,
        arms,
        {**asked, "updates": updates, "seed": seed},
        enrolled.refs(opened_root),
        page,
    )
