"""MLflow's own database in a root, and its artifacts beside it, wherever the root lies now.

MLflow stores absolute addresses of artifacts. A root that was moved or copied still has those of the old folder in its
database; what they name is looked for in the present folder first.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mien.storage import Root

URI_VARIABLE = "MLFLOW_TRACKING_URI"
_FOLDER = "mlartifacts"
_ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
    ("model_versions", "source"),
)


def is_embedded() -> bool:
    """Whether the database of the root is in force, and no MLflow of the user's choice."""
    return not os.environ.get(URI_VARIABLE)


def embedded_database(root: Root) -> Path:
    """The database; of a remote root it lies in `./data`, since SQLite needs a local file."""
    return _folder(root) / "mlflow.db"


def artifacts_folder(root: Root) -> Path:
    """Where the artifacts lie."""
    return _folder(root) / _FOLDER


def _folder(root: Root) -> Path:
    return root.local_path("") or Path("data").resolve()


def registry_name() -> str:
    """The registry in force: `embedded`, or its address without user and password."""
    uri = os.environ.get(URI_VARIABLE)
    if not uri:
        return "embedded"
    parts = urlsplit(uri)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def is_away(root: Root) -> bool:
    """Whether the database of the root is in force, and is not there."""
    return is_embedded() and not embedded_database(root).exists()


def in_this_root(root: Root, address: str) -> Path | None:
    """The folder in the root that an address in its database means; None where there is none of that name."""
    path = unquote(urlsplit(address).path)
    if not is_embedded() or f"/{_FOLDER}/" not in path:
        return None
    found = artifacts_folder(root) / path.rpartition(f"/{_FOLDER}/")[2]
    return found if ".." not in found.parts and found.is_dir() else None


def move_artifact_uris(database: Path, old: str, new: str) -> None:
    """Lets a database that was moved with its root name the present folder of its artifacts.

    Only where the old folder is gone: else another process may use the same database under the old path.
    """
    if old == new or not old.startswith("file:") or Path(unquote(urlsplit(old).path)).exists():
        return
    with closing(sqlite3.connect(database, timeout=60)) as connection, connection:
        for table, column in _ADDRESSES:
            # Names of tables and columns cannot be parameters; these are constants.
            below = f"substr({column} || '/', 1, ?) = ? || '/'"
            change = f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {below}"  # nosec B608 # constants
            connection.execute(change, (new, len(old) + 1, len(old) + 1, old))
