"""evaluate_generator: measure a registered generator on held-out people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from mien.flows.at_work import at_work
from mien.flows.parameters import CHAMPION, ROOT, Count, Device, ModelUri, RootUrl, Seed, SetName, Text, Workers
from mien.flows.result import FlowResult, as_link
from mien.flows.scrubbed_flow import flow
from mien.model.devices import chosen_devices
from mien.storage import Root
from mien.storage.outputs import note_output
from mien.tasks.errors import checking_arguments
from mien.tasks.evaluate import Evaluation, EvaluationSettings, as_table
from mien.tasks.evaluate.second_embedder import check_embedder
from mien.tasks.evaluate.steps import evaluate, write_evaluation_page
from mien.tasks.sets.faces import face_tables
from mien.tasks.tracking import run_address
from mien.tasks.tracking.steps import fetch_model


@dataclass(frozen=True)
class EvaluatedGenerator(FlowResult):
    """What a generator reaches."""

    model: str
    """`models:/name/version`."""
    evaluation: Evaluation
    gallery: str | None
    """URI of the page, if one was asked for."""
    mlflow_run: str = ""
    """Address of the run that trained the generator."""

    def report(self) -> str:
        links = [("Page", self.gallery or ""), ("MLflow run of the training", self.mlflow_run)]
        shown = [f"- {as_link(text, address)}" for text, address in links if address]
        return "\n".join([f"Generator {self.model}", "", as_table(self.evaluation), "", *shown])

    def lines(self) -> list[str]:
        page = [] if self.gallery is None else ["", f"gallery: {self.gallery}"]
        return [*as_table(self.evaluation).splitlines(), *page]


def check_arguments(*, set: str, root: str, embedder: str | None, device: str) -> None:
    """Raises UsageError if these cannot be right. Cheap: it runs before any server or worker starts."""
    with checking_arguments():
        chosen_devices(device)
        face_tables(Root(root), set)
        check_embedder(embedder, "embedder")


@flow(name="evaluate-generator", flow_run_name="evaluate {model} on {set}")
@at_work
def evaluate_generator(
    *,
    set: SetName,
    root: RootUrl = ROOT,
    model: ModelUri = CHAMPION,
    against: list[ModelUri] | None = None,
    pairs: Count = 100,
    cross_pairs: Annotated[int, Field(ge=0)] = 100,
    seed: Seed = 0,
    embedder: Text | None = None,
    gallery: Text | None = None,
    device: Device = "auto",
    workers: Workers = None,
) -> EvaluatedGenerator:
    """Measure a registered generator on the held-out people of a set.

    Args:
        set: Prepared set; its held-out people are used.
        root: Where the tables lie: a folder or any fsspec URL such as s3://bucket/prefix.
        model: Registered generator, models:/NAME@ALIAS or models:/NAME/VERSION.
        against: Registered generators to measure beside it, named like the model.
        pairs: Same-person pairs for each split, in turns over the people.
        cross_pairs: Pairs of two people for each split, in turns over the people; 0 leaves them out.
        seed: Another seed, other pairs.
        embedder: A second embedder that judges identity too, named like a detector: one that no training has learned
            from, such as insightface: and the folder of a pack. Not dlib.
        gallery: Folder for a page with the tables and sheets of pictures; none if empty.
        device: {devices}
        workers: {workers}
    """
    check_arguments(set=set, root=root, embedder=embedder, device=device)
    opened_root = Root(root)
    tables = face_tables(opened_root, set)
    registered = fetch_model(opened_root, model)
    others = [fetch_model(opened_root, uri) for uri in against or []]
    settings = EvaluationSettings(pairs=pairs, cross_pairs=cross_pairs, seed=seed, embedder=embedder)
    evaluation = evaluate(opened_root, registered.sha256, [tables], settings, workers, others)
    page = None
    if gallery is not None:
        note_output(opened_root, "page", Root(gallery), set)
        page = write_evaluation_page(opened_root, evaluation, Root(gallery), f"{registered.uri} on {set}")
    return EvaluatedGenerator(registered.uri, evaluation, page, run_address(opened_root, registered.run_id))
