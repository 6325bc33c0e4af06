"""Prefect's database as it is at first, made once for all test processes.

A server on an empty folder brings its schema up to date by hundreds of small migrations: 5 seconds of a core, for each
server that a test starts.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.made_once import made_once

_NAME = "prefect.db"


def put_database(factory: pytest.TempPathFactory, home: Path) -> Path:
    """Puts the database into a folder that will be a `PREFECT_HOME`; returns the folder, which is made if needed."""
    return copy_database(factory, home / _NAME).parent


def copy_database(factory: pytest.TempPathFactory, database: Path) -> Path:
    """Copies the database to a path of any name."""
    folder, _ = made_once(factory, "prefect-database", _make)
    database.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(folder / _NAME, database))


def _make(folder: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    subprocess.run(
        [sys.executable, "-m", "prefect", "server", "database", "upgrade", "--yes"],
        env=kept | {"PREFECT_HOME": str(folder)},
        check=True,
        capture_output=True,
        timeout=600,
    )
