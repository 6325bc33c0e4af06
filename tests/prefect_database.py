"""A folder for Prefect as its server leaves it after the first start, made once for all test processes.

A server on an empty folder brings the schema of its database up to date by hundreds of small migrations, and registers
its types of blocks: 6 seconds of a core, for each server that a test starts. On a copy of this folder it does neither;
the folder's own profile says so, and holds for whatever uses the folder.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from tests.made_once import made_once
from tests.quick_python import python_of_many

_NAME, _PROFILES = "prefect.db", "profiles.toml"
_READY = """\
active = "ready"

[profiles.ready]
PREFECT_SERVER_DATABASE_MIGRATE_ON_START = "false"
PREFECT_API_BLOCKS_REGISTER_ON_START = "false"
"""
_FILL = """
import asyncio
import prefect.plugins
from prefect.server.database import provide_database_interface
from prefect.server.models.block_registration import run_block_auto_registration

async def fill():
    database = provide_database_interface()
    await database.create_db()
    prefect.plugins.load_prefect_collections()
    async with await database.session() as session:
        await run_block_auto_registration(session=session)

asyncio.run(fill())
"""


def put_database(factory: pytest.TempPathFactory, home: Path) -> Path:
    """Makes a folder a `PREFECT_HOME` whose servers start at once; returns it. It is made if needed."""
    copy_database(factory, home / _NAME)
    (home / _PROFILES).write_text(_READY)
    return home


def copy_database(factory: pytest.TempPathFactory, database: Path) -> Path:
    """Copies the database alone, to a path of any name."""
    folder, _ = made_once(factory, "prefect-database", partial(_make, python_of_many(factory)))
    database.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(folder / _NAME, database))


def _make(python: str, folder: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    subprocess.run(
        [python, "-c", _FILL],
        env=kept | {"PREFECT_HOME": str(folder), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"},
        check=True,
        capture_output=True,
        timeout=600,
    )
    with closing(sqlite3.connect(folder / _NAME)) as database:  # all of it in the one file that is copied
        database.execute("pragma wal_checkpoint(truncate)")
