"""Runs and versions that have seen a person: their pictures are deleted, the versions are tagged."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from mien.storage import Root
from mien.tasks.tracking.connection import EXPERIMENT, connect, tracking_uri

FORGOTTEN_TAG = "mien.forgotten"
_PICTURES = (".png", ".jpg", ".webp", ".html")
_RUNS_AT_ONCE = 200


@dataclass(frozen=True)
class Seen:
    """What a person was in."""

    tables: Collection[str]
    """Fingerprints of tables that held the person."""
    sets: Collection[str]
    known: Collection[str]
    """Fingerprints of the tables that the root has: a run on another version of one of the sets may have seen the
    person, too."""


def is_there(root: Root) -> bool:
    """Whether there is an MLflow at all: the embedded one is a file, which nothing has made before a training."""
    uri = tracking_uri(root)
    return not uri.startswith("sqlite:///") or Path(uri.removeprefix("sqlite:///")).exists()


def forget_in_runs(root: Root, seen: Seen, mark: str) -> list[str]:
    """Deletes the pictures of runs that have seen the person, and tags their versions with `mark`; a line for each.

    Raises:
        RunError: MLflow does not answer.
    """
    if not is_there(root):
        return []
    client = connect(root)
    done: list[str] = []
    runs = [run for run in _runs(client) if _saw(run, seen)]
    for run in runs:
        for path in _pictures(client, run.info.run_id, ""):
            get_artifact_repository(str(run.info.artifact_uri)).delete_artifacts(path)
            done.append(f"run {run.info.run_id}: {path} deleted")
    of_runs = {run.info.run_id for run in runs}
    for version in client.search_model_versions():
        if version.run_id in of_runs:
            former = version.tags.get(FORGOTTEN_TAG, "")
            if mark not in former:
                tag = f"{former}; {mark}" if former else mark
                client.set_model_version_tag(version.name, str(version.version), FORGOTTEN_TAG, tag)
            done.append(f"models:/{version.name}/{version.version}: tagged {FORGOTTEN_TAG}")
    return done


def _runs(client: MlflowClient) -> Iterator[Run]:
    experiment = client.get_experiment_by_name(EXPERIMENT)
    token = None
    while experiment is not None:
        page = client.search_runs([experiment.experiment_id], max_results=_RUNS_AT_ONCE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _saw(run: Run, seen: Seen) -> bool:
    for given in run.inputs.dataset_inputs if run.inputs else ():
        if given.dataset.digest in seen.tables:
            return True
        if given.dataset.digest not in seen.known and given.dataset.name.rpartition(".")[0] in seen.sets:
            return True
    return False


def _pictures(client: MlflowClient, run_id: str, folder: str) -> Iterator[str]:
    for file in client.list_artifacts(run_id, folder or None):
        if file.is_dir:
            yield from _pictures(client, run_id, file.path)
        elif file.path.endswith(_PICTURES):
            yield file.path
