"""MLflow: runs, metrics and the registry. The one module that imports mlflow.

Where: `MLFLOW_TRACKING_URI` if it is set; else an SQLite file in the root, with the artefacts beside it (a remote root
keeps both in `./data`, since SQLite needs a local file).
"""

from __future__ import annotations

import json
import logging
import os
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException, RestException
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

import model
from model.images import encode_png
from model.networks.generator import GeneratorKind
from storage import Root, TableRef
from tasks.errors import RunError, UsageError
from tasks.models import MODEL_NAME, RegisteredModel, keep_model

EXPERIMENT = "mien"
_PATIENCE_S = 10.0
_URI_VARIABLE = "MLFLOW_TRACKING_URI"
CHAMPION = "champion"
TRAINING_TAG = "mien.training"
WEIGHTS_TAG = "mien.weights_sha256"
GENERATOR_TAG = "mien.generator"
PROMOTION_TAG = "mien.promotion"
METRIC_TAG = "mien.validation_metric"
METRIC_NAME_TAG = "mien.validation_metric_name"

# The libraries that the registered model needs where it is served; exact versions come from the running environment.
_SERVING_PACKAGES = ("numpy", "opencv-python", "safetensors", "torch", "jaxtyping", "scikit-image")


def tracking_uri(root: Root) -> str:
    """The MLflow in force for `root` (see the module's docstring)."""
    return os.environ.get(_URI_VARIABLE) or f"sqlite:///{_embedded_folder(root) / 'mlflow.db'}"


def _embedded_folder(root: Root) -> Path:
    return root.local_path("") or Path("data").resolve()


def _connect(root: Root) -> MlflowClient:
    """Client of the MLflow in force.

    Raises:
        RunError: it cannot be reached.
    """
    for chatty in ("alembic", "mlflow.store.db.utils"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # Their news are advice to the author of a training script, which the user of this pipeline is not.
    for chatty in ("mlflow.models.model", "mlflow.pyfunc", "mlflow.tracking", "mlflow.system_metrics", "mlflow.utils"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    uri = tracking_uri(root)
    if uri.startswith("sqlite:///"):
        Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    _use(uri)
    try:
        _knock(uri)
        client = MlflowClient()
        client.search_experiments(max_results=1)
    except (MlflowException, OSError) as error:
        raise RunError(
            f"MLflow at {uri} does not answer ({_first_line(error)}): start it or set MLFLOW_TRACKING_URI"
        ) from error
    return client


def check_connection(root: Root) -> None:
    """Raises RunError unless the MLflow in force answers."""
    _connect(root)


def _knock(uri: str) -> None:
    """Raises OSError where nobody listens: MLflow's client would try for minutes. Behind a proxy it must find out."""
    url = urlsplit(uri)
    proxied = url.scheme in getproxies() and url.hostname and not proxy_bypass(url.hostname)
    if url.scheme in ("http", "https") and url.hostname and not proxied:
        port = url.port or {"http": 80, "https": 443}[url.scheme]
        socket.create_connection((url.hostname, port), timeout=_PATIENCE_S).close()


def _use(uri: str) -> None:
    """Makes `uri` the one of this process. mlflow writes it into the environment too, where it would pass for the
    user's choice and outlive a change of root."""
    chosen = os.environ.get(_URI_VARIABLE)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    if chosen is None:
        os.environ.pop(_URI_VARIABLE, None)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _experiment_id(client: MlflowClient, root: Root) -> str:
    found = client.get_experiment_by_name(EXPERIMENT)
    if found is not None:
        return str(found.experiment_id)
    embedded = _URI_VARIABLE not in os.environ
    location = (_embedded_folder(root) / "mlartifacts").as_uri() if embedded else None
    return str(client.create_experiment(EXPERIMENT, artifact_location=location))


class TrackedRun:
    """An MLflow run in progress; what a training reports goes through it."""

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        self._client = client
        self.run_id = run_id

    def settings(self, settings: Mapping[str, Any]) -> None:
        """Logs nested settings under dotted names. A resumed run logs the same values again, which MLflow accepts."""
        self._client.log_batch(self.run_id, params=[Param(k, str(v)[:6000]) for k, v in _flat(settings)])

    def data(self, tables: Sequence[tuple[str, TableRef]], context: str) -> None:
        """Logs tables as dataset inputs, their fingerprint as the digest."""
        tag = InputTag(MLFLOW_DATASET_CONTEXT, context)
        inputs = [
            DatasetInput(
                Dataset(
                    name=name,
                    digest=t.fingerprint,
                    source_type="mien",
                    source=json.dumps({"root": t.root_url, "table": t.table}),
                ),
                [tag],
            )
            for name, t in tables
        ]
        self._client.log_inputs(self.run_id, inputs)

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        now_ms = int(time.time() * 1000)
        self._client.log_batch(self.run_id, metrics=[Metric(k, float(v), now_ms, step) for k, v in values.items()])

    def picture(self, name: str, rgb: np.ndarray) -> None:
        """Logs a picture (uint8, height × width × 3) as the artefact `name`, a path ending in .png."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / Path(name).name
            path.write_bytes(encode_png(rgb))
            self._client.log_artifact(self.run_id, str(path), str(Path(name).parent))

    def text(self, name: str, text: str) -> None:
        self._client.log_text(self.run_id, text, name)

    def tags(self, tags: Mapping[str, str]) -> None:
        for key, value in tags.items():
            self._client.set_tag(self.run_id, key, value)


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


@contextmanager
def tracked_run(root: Root, name: str, run_id: str | None = None) -> Iterator[TrackedRun]:
    """Starts a run, or goes on with `run_id`; system metrics are sampled while it lasts."""
    client = _connect(root)
    if run_id is not None and not _run_exists(client, run_id):
        run_id = None
    run_name = name if run_id is None else None  # a run that goes on keeps its name
    mlflow.set_system_metrics_sampling_interval(5)
    experiment_id = _experiment_id(client, root)
    with mlflow.start_run(
        run_id=run_id, experiment_id=experiment_id, run_name=run_name, log_system_metrics=True
    ) as run:
        yield TrackedRun(client, run.info.run_id)


def _run_exists(client: MlflowClient, run_id: str) -> bool:
    try:
        return client.get_run(run_id).info.lifecycle_stage == "active"
    except MlflowException:
        return False


def find_trained(root: Root, training: str) -> RegisteredModel | None:
    """The registered version that came of the training with this fingerprint, if there is one."""
    return _newest(root, TRAINING_TAG, training)


def newest_of_kind(root: Root, generator: GeneratorKind) -> RegisteredModel | None:
    """The newest registered version with a generator of this kind, if there is one."""
    return _newest(root, GENERATOR_TAG, generator)


def _newest(root: Root, tag: str, value: str) -> RegisteredModel | None:
    client = _connect(root)
    versions = client.search_model_versions(f"name = '{MODEL_NAME}' and tags.`{tag}` = '{value}'")
    ready = [v for v in versions if v.status == "READY"]
    return _registered(client, max(ready, key=lambda v: int(v.version))) if ready else None


def _registered(client: MlflowClient, version: ModelVersion) -> RegisteredModel:
    best = _champion(client, version.name)
    return RegisteredModel(
        uri=f"models:/{version.name}/{version.version}",
        run_id=version.run_id or "",
        sha256=version.tags.get(WEIGHTS_TAG, ""),
        champion=best is not None and int(best.version) == int(version.version),
    )


def champion(root: Root) -> RegisteredModel | None:
    """The version with the alias `champion`, if there is one."""
    client = _connect(root)
    version = _champion(client, MODEL_NAME)
    return _registered(client, version) if version else None


def _champion(client: MlflowClient, name: str) -> ModelVersion | None:
    try:
        return client.get_model_version_by_alias(name, CHAMPION)
    except (MlflowException, RestException):
        return None


@dataclass(frozen=True)
class Registration:
    """What is registered: the folder of an application model, and what is said of it."""

    folder: Path
    card: str
    example: dict[str, np.ndarray]
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


def register(root: Root, run: TrackedRun, registration: Registration) -> RegisteredModel:
    """Registers the model as a new version of `mien-generator`, with the alias `champion` if it has won."""
    client = _connect(root)
    info = mlflow.pyfunc.log_model(
        name="generator",
        loader_module="model.serving",
        data_path=str(registration.folder),
        code_paths=[str(Path(model.__file__ or "").parent)],
        signature=_signature(registration.example),
        input_example=registration.example,
        pip_requirements=_serving_requirements(),
    )
    run.text("model_card.md", registration.card)
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
        },
        description=registration.card,
    )
    if registration.champion:
        client.set_registered_model_alias(MODEL_NAME, CHAMPION, version.version)
    return _registered(client, client.get_model_version(MODEL_NAME, version.version))


def _ensure_registered_model(client: MlflowClient) -> None:
    if not client.search_registered_models(f"name = '{MODEL_NAME}'"):
        client.create_registered_model(MODEL_NAME, description="Expression transfer generators trained by mien.")


def _signature(example: Mapping[str, np.ndarray]) -> ModelSignature:
    inputs = [TensorSpec(v.dtype, (-1, *v.shape[1:]), name) for name, v in example.items()]
    image = example["source"]
    return ModelSignature(Schema(inputs), Schema([TensorSpec(image.dtype, (-1, *image.shape[1:]))]))  # pyright: ignore[reportArgumentType]


def _serving_requirements() -> list[str]:

    # Without the local label (`+cpu`), which no package index serves.
    return [f"{name}=={installed_version(name).split('+')[0]}" for name in _SERVING_PACKAGES]


def fetch_model(root: Root, uri: str) -> RegisteredModel:
    """Pins a model URI to a version and keeps its files in the root.

    Raises:
        UsageError: the registry has no such model.
        WeightsError: the weights are not the registered ones.
    """
    registered, folder = resolve_model(root, uri)
    keep_model(root, folder, registered.sha256)
    return registered


def resolve_model(root: Root, uri: str) -> tuple[RegisteredModel, Path]:
    """Pins `models:/name@alias` or `models:/name/version` to a version and fetches it.

    Returns the version and the local folder of the application model.

    Raises:
        UsageError: no such model, version or alias.
    """
    client = _connect(root)
    version = _find_version(client, uri)
    registered = _registered(client, version)
    local = Path(mlflow.artifacts.download_artifacts(registered.uri))
    return registered, next(path.parent for path in sorted(local.glob("data/**/config.json")))


def _find_version(client: MlflowClient, uri: str) -> ModelVersion:
    try:
        if not uri.startswith("models:/"):
            raise UsageError(f"{uri!r} is no registered model: write models:/NAME@ALIAS or models:/NAME/VERSION")
        name = uri.removeprefix("models:/")
        if "@" in name:
            return client.get_model_version_by_alias(*name.split("@", 1))
        return client.get_model_version(*name.split("/", 1))
    except (MlflowException, TypeError) as error:
        raise UsageError(
            f"{uri} is not in the registry ({known_models(client)}): train first, or choose another"
        ) from error


def known_models(client: MlflowClient) -> str:
    """One line that names what the registry holds."""
    versions = client.search_model_versions()
    names = sorted(f"{v.name}/{v.version}" for v in versions)
    return "it holds " + ", ".join(names[-10:]) if names else "it is empty"
