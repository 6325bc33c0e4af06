"""The MLflow in force.

`MLFLOW_TRACKING_URI` if it is set; else an SQLite file in the root, with the artefacts beside it (a remote root keeps
both in `./data`, since SQLite needs a local file).
"""

from __future__ import annotations

import logging
import os
import socket
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass
from uuid import uuid4

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from mien.model.errors import first_line
from mien.storage import Root
from mien.storage.private import make_folder
from mien.tasks.errors import RunError, UsageError
from mien.tasks.tracking.embedded import (
    URI_VARIABLE,
    artifacts_folder,
    embedded_database,
    is_embedded,
    move_artifact_uris,
)

EXPERIMENT = "mien"
_PATIENCE_S = 10.0
_SHOWN = 200
"""Characters of what MLflow says."""
_KEYWORDS = ("databricks", "uc")
"""What MLflow takes without a scheme."""


def tracking_uri(root: Root) -> str:
    """The MLflow in force for `root` (see the module's docstring)."""
    return os.environ.get(URI_VARIABLE) or f"sqlite:///{embedded_database(root)}"


def run_address(root: Root, run_id: str) -> str:
    """Where a person finds a run: its page on the server, else its id and the database that has it.

    The server is not asked: a job goes on when it does not answer.
    """
    uri = tracking_uri(root)
    return f"{uri.rstrip('/')}/#/runs/{run_id}" if uri.startswith(("https://", "http://")) else f"{run_id} in {uri}"


def connect(root: Root) -> MlflowClient:
    """Client of the MLflow in force.

    Raises:
        RunError: it cannot be reached.
        UsageError: it is a folder, which MLflow does not take any more.
    """
    for chatty in ("alembic", "mlflow.store.db.utils"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # Their news are advice to the author of a training script, which the user of this pipeline is not.
    for chatty in ("mlflow.models.model", "mlflow.pyfunc", "mlflow.tracking", "mlflow.system_metrics", "mlflow.utils"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    uri = tracking_uri(root)
    _check_kind(uri)
    if uri.startswith("sqlite:///"):
        database = Path(uri.removeprefix("sqlite:///"))
        _check_readable(database)
        make_folder(database.parent)
        _create(database)
    _use(uri)
    try:
        _check_reachable(uri)
        client = MlflowClient()
        client.search_experiments(max_results=1)
    except (MlflowException, OSError) as error:
        raise RunError(
            f"MLflow at {uri} does not answer ({first_line(error)[:_SHOWN]}): start it or set MLFLOW_TRACKING_URI"
        ) from error
    return client


def _check_readable(database: Path) -> None:
    """Raises RunError where another user owns the database or the folder that it would be made in: MLflow tries to open
    it for minutes, and says so again and again."""
    there = next(path for path in (database, *database.absolute().parents) if os.path.exists(path))
    needed = os.R_OK if there == database else os.W_OK | os.X_OK
    if not os.access(there, needed):
        what = "read" if there == database else "written, and MLflow's database would lie there"
        raise RunError(f"{there} cannot be {what}: check whose it is, choose another --root, or set {URI_VARIABLE}")


def _create(database: Path) -> None:
    """Makes an SQLite file with MLflow's tables, unless there is one. It appears whole or not at all: MLflow makes its
    tables in many steps, and cannot go on where it was ended between two."""
    if database.exists():
        return
    half = database.with_name(f".{database.name}-{uuid4().hex}")
    try:
        MlflowClient(f"sqlite:///{half}").search_experiments(max_results=1)
        with suppress(FileExistsError):  # another process was faster
            os.link(half, database)
    finally:
        half.unlink(missing_ok=True)


def check_connection(root: Root) -> None:
    """Raises RunError unless the MLflow in force answers."""
    connect(root)


def _check_kind(uri: str) -> None:
    """Raises UsageError for a folder: MLflow answers that with a stack trace and advice on moving to a database."""
    scheme = urlsplit(uri).scheme
    if scheme == "file" or (not scheme and not uri.startswith(_KEYWORDS)):
        raise UsageError(
            f"{URI_VARIABLE} is the folder {uri}, and MLflow keeps nothing in plain folders any more: set it to "
            f"{_as_database(uri)} or to a server's URL, or unset it to use the database in the root"
        )


def _as_database(uri: str) -> str:
    return f"sqlite:///{uri.removeprefix('file://').rstrip('/') or '.'}/mlflow.db"


def _check_reachable(uri: str) -> None:
    """Raises OSError where nobody listens: MLflow's client would try for minutes. Behind a proxy it must find out."""
    url = urlsplit(uri)
    proxied = url.scheme in getproxies() and url.hostname and not proxy_bypass(url.hostname)
    if url.scheme in ("http", "https") and url.hostname and not proxied:
        port = url.port or {"http": 80, "https": 443}[url.scheme]
        socket.create_connection((url.hostname, port), timeout=_PATIENCE_S).close()


def _use(uri: str) -> None:
    """Makes `uri` the one of this process. mlflow writes it into the environment too, where it would pass for the
    user's choice and outlive a change of root."""
    chosen = os.environ.get(URI_VARIABLE)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    if chosen is None:
        os.environ.pop(URI_VARIABLE, None)


def experiment_id(client: MlflowClient, root: Root) -> str:
    found = client.get_experiment_by_name(EXPERIMENT)
    location = artifacts_folder(root).as_uri() if is_embedded() else None
    if found is not None:
        if location is not None:
            move_artifact_uris(embedded_database(root), str(found.artifact_location), location)
        return str(found.experiment_id)
    return str(client.create_experiment(EXPERIMENT, artifact_location=location))
