"""The registry: versions of the generator, and which of them is the champion."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from mien.model.networks.config import GeneratorKind
from mien.storage import Root
from mien.tasks.errors import RunError
from mien.tasks.generator.known_generators import is_kept, newest_champion, pinned_generator, remember_generator
from mien.tasks.generator.registered import MODEL_NAME, RegisteredModel
from mien.tasks.tracking.champion import PROMOTION_TAG, WEIGHTS_TAG, make_champion
from mien.tasks.tracking.connection import connect
from mien.tasks.tracking.embedded import in_this_root, is_away, registry_name
from mien.tasks.tracking.runs import TrackedRun
from mien.tasks.tracking.served_model import served_model, serving_code
from mien.tasks.tracking.versions import CHAMPION, champion_version, find_version, version_uri

_log = logging.getLogger("mien.tasks")
TRAINING_TAG = "mien.training"
GENERATOR_TAG = "mien.generator"
METRIC_TAG = "mien.validation_metric"
METRIC_NAME_TAG = "mien.validation_metric_name"


def find_trained(root: Root, training: str) -> RegisteredModel | None:
    """The registered version that came of the training with this fingerprint, if there is one."""
    return _newest(root, TRAINING_TAG, training)


def newest_of_kind(root: Root, generator: GeneratorKind) -> RegisteredModel | None:
    """The newest registered version with a generator of this kind, if there is one."""
    return _newest(root, GENERATOR_TAG, generator)


def _newest(root: Root, tag: str, value: str) -> RegisteredModel | None:
    client = connect(root)
    versions = client.search_model_versions(f"name = '{MODEL_NAME}' and tags.`{tag}` = '{value}'")
    ready = [v for v in versions if v.status == "READY"]
    return _registered(client, max(ready, key=lambda v: int(v.version))) if ready else None


def _registered(client: MlflowClient, version: ModelVersion) -> RegisteredModel:
    best = champion_version(client, version.name)
    return RegisteredModel(
        uri=version_uri(version),
        run_id=version.run_id or "",
        sha256=version.tags.get(WEIGHTS_TAG, ""),
        champion=best is not None and int(best.version) == int(version.version),
    )


def champion(root: Root) -> RegisteredModel | None:
    """The version with the alias `champion`, if there is one."""
    client = connect(root)
    version = champion_version(client, MODEL_NAME)
    return _registered(client, version) if version else None


def tags_of(root: Root, model: RegisteredModel) -> dict[str, str]:
    """What a version says of itself."""
    return dict(find_version(connect(root), model.uri).tags)


@dataclass(frozen=True)
class Registration:
    """What is registered: the folder of an application model, and what is said of it."""

    folder: Path
    card: Callable[[str], str]
    """The model card, for a URI that the version is called by."""
    faces: str
    """The detector that finds the faces of photos where it is served."""
    training: str
    """Fingerprint of the training: data, settings, code."""
    weights_sha256: str
    validation_metric: float
    metric_name: str
    generator: GeneratorKind
    champion: bool
    """Whether it takes the present champion's place."""
    promotion: str
    """Why, or why not."""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    """What else the version is to say of itself."""


def register(root: Root, run: TrackedRun, registration: Registration) -> RegisteredModel:
    """Registers the model as a new version of `mien-generator`, with the alias `champion` if it has won."""
    client = connect(root)
    with serving_code(registration.faces) as code:
        info = mlflow.pyfunc.log_model(
            name="generator",
            data_path=str(registration.folder),
            code_paths=[str(code)],
            **served_model(registration.faces),
        )
    _ensure_registered_model(client)
    version = client.create_model_version(
        MODEL_NAME,
        source=info.model_uri,
        model_id=info.model_id,
        run_id=run.run_id,
        tags={
            TRAINING_TAG: registration.training,
            WEIGHTS_TAG: registration.weights_sha256,
            METRIC_TAG: repr(registration.validation_metric),
            METRIC_NAME_TAG: registration.metric_name,
            GENERATOR_TAG: registration.generator,
            PROMOTION_TAG: registration.promotion,
            **registration.tags,
        },
        description=registration.card(f"models:/{MODEL_NAME}@{CHAMPION}"),
    )
    registered = _registered(client, version)
    card = registration.card(registered.uri)  # its number is known now
    client.update_model_version(MODEL_NAME, version.version, description=card)
    run.text("model_card.md", card)
    if registration.champion:
        make_champion(client, version, "training", registration.promotion)
    registered = _registered(client, client.get_model_version(MODEL_NAME, version.version))
    remember_generator(root, registered, registry_name())
    return registered


def _ensure_registered_model(client: MlflowClient) -> None:
    if not client.search_registered_models(f"name = '{MODEL_NAME}'"):
        client.create_registered_model(MODEL_NAME, description="Expression transfer generators trained by mien.")


def fetch_model(root: Root, uri: str) -> RegisteredModel:
    """Pins a model URI to a version and keeps its files in the root.

    A version that was fetched from this registry before is taken from the root. Where the registry is away, so is any
    other that was fetched; in the place of an alias the newest champion is, which is told in one line.

    Raises:
        UsageError: the registry has no such model.
        RunError: the registry does not answer, and the root has no such model either.
        WeightsError: the weights are not the registered ones.
    """
    registry = registry_name()
    kept = pinned_generator(root, uri, registry)
    if kept is not None:
        return kept
    try:
        if is_away(root) and (found := _without_registry(root, uri, "it has no database")) is not None:
            return found
        connect(root)
    except RunError as error:
        if (found := _without_registry(root, uri, str(error))) is None:
            raise
        return found
    registered = _registered(client := connect(root), find_version(client, uri))
    if not is_kept(root, registered.sha256):
        from mien.tasks.generator.weights import keep_model  # with torch, which the rest does without

        keep_model(root, _fetched(root, client, registered), registered.sha256)
    remember_generator(root, registered, registry)
    return registered


def _without_registry(root: Root, uri: str, why: str) -> RegisteredModel | None:
    name, alias = uri.removeprefix("models:/").partition("@")[::2]
    found = newest_champion(root, name) if alias == CHAMPION else pinned_generator(root, uri, None)
    if found is not None:
        _log.warning("the registry is away (%s): %s in %s is used for %s", why, found.uri, root.url, uri)
    return found


def _fetched(root: Root, client: MlflowClient, registered: RegisteredModel) -> Path:
    """Local folder of the application model of a version."""
    version = client.get_model_version(*registered.uri.removeprefix("models:/").split("/", 1))
    stored = client.get_model_version_download_uri(version.name, str(version.version))
    # In a root that was moved the database still names the old folder.
    local = in_this_root(root, stored) or Path(mlflow.artifacts.download_artifacts(registered.uri))
    return next(path.parent for path in sorted(local.glob("data/**/config.json")))
