"""What takes long to make, made once for all test processes."""

from __future__ import annotations

import fcntl
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

R = TypeVar("R")


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], R]) -> tuple[Path, R]:
    """A folder and what `make` returned for it. The test process that comes first makes it, the others wait.

    Nothing may be written there afterwards: copy it.
    """
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # the processes of a run have folders of their own, side by side
        base = base.parent
    folder, result = base / name, base / f"{name}.pickle"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not result.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            result.write_bytes(pickle.dumps(make(folder)))
        return folder, pickle.loads(result.read_bytes())
