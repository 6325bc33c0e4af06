"""Copies the champion of a root's own registry to the MLflow server of the environment, with the run that trained it.

python -m deployments.demo_model ROOT

`make demo` needs no server, so its model is in an SQLite file of its root. A server cannot take that file over: the
artefacts that it names are paths below the root. So the version is registered on the server as a new one, with the same
files, tags, description, parameters and curves. A server that has versions of its own is left as it is.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from mien.tasks.generator.weights import MODEL_NAME
from mien.tasks.tracking.champion import CHANGE_TAG
from mien.tasks.tracking.versions import CHAMPION

COPIED_FROM = "mien.copied_from"
FOLDER = "generator"
_AT_ONCE = 1000
"""Metrics in one call; MLflow takes no more."""


def copy_champion(registry: Path, server: str) -> str | None:
    """Copies the champion of an SQLite registry to a server; the URI of the new version.

    None where there is no champion, or the server has versions already.
    """
    local, there = (MlflowClient(uri, uri) for uri in (f"sqlite:///{registry}", server))
    if there.search_model_versions(f"name = '{MODEL_NAME}'", max_results=1):
        return None
    try:
        champion = local.get_model_version_by_alias(MODEL_NAME, CHAMPION)
    except MlflowException:
        return None
    run_id = _copy_run(local, there, champion)
    with TemporaryDirectory() as scratch:
        stored = local.get_model_version_download_uri(champion.name, str(champion.version))
        files = mlflow.artifacts.download_artifacts(stored, dst_path=scratch)
        there.log_artifacts(run_id, files, FOLDER)
    if not there.search_registered_models(f"name = '{MODEL_NAME}'"):
        there.create_registered_model(MODEL_NAME, description=local.get_registered_model(MODEL_NAME).description)
    copied = there.create_model_version(
        MODEL_NAME,
        source=f"{there.get_run(run_id).info.artifact_uri}/{FOLDER}",
        run_id=run_id,
        tags=_kept(champion.tags) | {COPIED_FROM: str(registry.resolve())},
        description=champion.description,
    )
    there.set_registered_model_alias(MODEL_NAME, CHAMPION, copied.version)
    return f"models:/{MODEL_NAME}/{copied.version}"


def _kept(tags: dict[str, str]) -> dict[str, str]:
    """Without the changes of the champion: they name versions of the other registry."""
    return {name: value for name, value in tags.items() if not name.startswith(CHANGE_TAG)}


def _copy_run(local: MlflowClient, there: MlflowClient, champion: ModelVersion) -> str:
    run = local.get_run(str(champion.run_id))
    name = local.get_experiment(run.info.experiment_id).name
    known = there.get_experiment_by_name(name)
    experiment = known.experiment_id if known else there.create_experiment(name)
    copied = there.create_run(experiment, start_time=run.info.start_time, run_name=run.info.run_name)
    run_id = copied.info.run_id
    params = [Param(name, value) for name, value in sorted(run.data.params.items())]
    for first in range(0, len(params), 100):
        there.log_batch(run_id, params=params[first : first + 100])
    there.log_batch(run_id, tags=[RunTag(name, value) for name, value in sorted(run.data.tags.items())])
    metrics = _curves(local, run)
    for first in range(0, len(metrics), _AT_ONCE):
        there.log_batch(run_id, metrics=metrics[first : first + _AT_ONCE])
    if local.list_artifacts(run.info.run_id):
        with TemporaryDirectory() as scratch:
            there.log_artifacts(run_id, local.download_artifacts(run.info.run_id, "", scratch))
    there.set_terminated(run_id, run.info.status, run.info.end_time)
    return run_id


def _curves(local: MlflowClient, run: Run) -> list[Metric]:
    return [each for name in sorted(run.data.metrics) for each in local.get_metric_history(run.info.run_id, name)]


def main() -> None:
    registry = Path(sys.argv[1]) / "mlflow.db"
    if copied := copy_champion(registry, os.environ["MLFLOW_TRACKING_URI"]):
        print(f"the champion of {sys.argv[1]} is {copied} on {os.environ['MLFLOW_TRACKING_URI']}")


if __name__ == "__main__":
    main()
