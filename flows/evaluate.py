"""evaluate_generator: measure a registered generator on held-out people."""

from __future__ import annotations

from prefect import flow

from mien.storage import Root
from mien.tasks.evaluate import EvaluationSettings, as_table
from mien.tasks.evaluate.steps import evaluate, write_evaluation_page
from mien.tasks.sets.faces import face_tables
from mien.tasks.tracking.steps import fetch_model


@flow(name="evaluate-generator", flow_run_name="evaluate {model} on {data}")
def evaluate_generator(
    data: str,
    model: str = "models:/mien-generator@champion",
    root: str = "./data",
    pairs: int = 100,
    seed: int = 0,
    workers: int | None = None,
    against: list[str] | None = None,
    cross_pairs: int = 100,
    gallery: str | None = None,
) -> str:
    """Measure a registered generator on the held-out people of a set; returns the table that is printed.

    Args:
        data: Prepared set; its held-out people are used.
        model: Registered generator, models:/NAME@ALIAS or models:/NAME/VERSION.
        root: Where the tables lie.
        pairs: Same-person pairs, evenly over the people.
        seed: Another seed, other pairs.
        workers: Worker processes; one per core if empty.
        against: Registered generators to measure beside it, named like the model.
        cross_pairs: Pairs of two people, evenly over the people; 0 leaves them out.
        gallery: Folder to write the tables and sheets of pictures into; none if empty.
    """
    place = Root(root)
    tables = face_tables(place, data)
    registered = fetch_model(place, model)
    others = [fetch_model(place, uri) for uri in against or []]
    settings = EvaluationSettings(pairs=pairs, cross_pairs=cross_pairs, seed=seed)
    evaluation = evaluate(place, registered.sha256, [tables], settings, workers, others)
    if gallery is None:
        return as_table(evaluation)
    page = write_evaluation_page(place, evaluation, Root(gallery), f"{registered.uri} on {data}")
    return f"{as_table(evaluation)}\n\ngallery: {page}"
