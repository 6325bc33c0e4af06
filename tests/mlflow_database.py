"""MLflow's database as it is at first, made once for all test processes.

MLflow makes its tables by a hundred small migrations: more than a second of a core, for each root that a test makes.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import pytest

from tests.made_once import made_once

_MODULE, _NAME = "mien.tasks.tracking.connection", "mlflow.db"


@contextmanager
def ready_databases(factory: pytest.TempPathFactory) -> Iterator[None]:
    """While the block runs, a root that needs a database of MLflow gets a copy, where MLflow is imported already."""
    if _MODULE not in sys.modules:  # to import it takes longer than most tests
        yield
        return
    make = sys.modules[_MODULE]._create

    def copy(database: Path) -> None:
        if not database.exists():
            folder, _ = made_once(factory, "mlflow-database", lambda folder: make(folder / _NAME))
            half = Path(shutil.copyfile(folder / _NAME, database.with_name(f".{database.name}-{uuid4().hex}")))
            with suppress(FileExistsError):  # another process was faster
                database.hardlink_to(half)
            half.unlink()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{_MODULE}._create", copy)
        yield
