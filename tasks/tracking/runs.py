"""Runs: what a training reports."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT, MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NOTE

from mien.model.images.codec import encode_png
from mien.storage import Root, TableRef
from mien.tasks.tracking.connection import connect, experiment_id


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
        """Logs metrics. What stands before a slash in a name is the group that MLflow shows the metric in."""
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

    def description(self, markdown: str) -> None:
        """Sets what MLflow shows above everything else on the page of the run."""
        self._client.set_tag(self.run_id, MLFLOW_RUN_NOTE, markdown)

    def child(self, name: str, settings: Mapping[str, Any], metrics: Mapping[str, float]) -> str:
        """Logs a finished run below this one, which MLflow shows with it; its id."""
        parent = self._client.get_run(self.run_id).info
        made = self._client.create_run(parent.experiment_id, tags={MLFLOW_PARENT_RUN_ID: self.run_id}, run_name=name)
        child = TrackedRun(self._client, made.info.run_id)
        child.settings(settings)
        child.metrics(metrics)
        self._client.set_terminated(made.info.run_id)
        return str(made.info.run_id)

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
    client = connect(root)
    if run_id is not None and not _run_exists(client, run_id):
        run_id = None
    run_name = name if run_id is None else None  # a run that goes on keeps its name
    mlflow.set_system_metrics_sampling_interval(5)
    experiment = experiment_id(client, root)
    with mlflow.start_run(run_id=run_id, experiment_id=experiment, run_name=run_name, log_system_metrics=True) as run:
        yield TrackedRun(client, run.info.run_id)


def _run_exists(client: MlflowClient, run_id: str) -> bool:
    try:
        return client.get_run(run_id).info.lifecycle_stage == "active"
    except MlflowException:
        return False
