"""Worker processes that start at once: forked from a process that has imported what their work is made of.

The program spawns its workers, and each imports this anew: one to three seconds of a core. Tests which start many, to
see what becomes of their work, take these; how workers start is the matter of tests/unit/tasks/runtime/test_workers.py
and of all tests that run commands.
"""

from __future__ import annotations

import multiprocessing as mp
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from multiprocessing import forkserver, spawn
from types import SimpleNamespace
from typing import Any

import pytest

from mien.tasks.runtime import worker_process
from mien.tasks.runtime.worker_process import THREAD_VARIABLES

IMPORTED = [
    "mien.tasks.prepare.detect",
    "mien.tasks.prepare.heatmaps",
    "mien.tasks.prepare.index",
    "mien.tasks.prepare.video_frames",
    "mien.tasks.transfer.transfer_shards",
    "tests.crashing_detector",
]


@contextmanager
def quick_workers(python: str) -> Iterator[None]:
    """While the block runs, the workers of this process are forked from one that stays until this process ends.

    That one is run by `python`, which may have imported the work already.
    """
    context = SimpleNamespace(Pipe=mp.Pipe, Process=partial(quick_process, python))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker_process, "mp", SimpleNamespace(get_context=lambda _: context))
        yield


def quick_process(python: str, target: Callable[..., None], args: tuple[Any, ...], daemon: bool) -> Any:
    """As `multiprocessing.Process`, in the environment of now. Tests may start processes of their own with it."""
    forked = mp.get_context("forkserver")
    with pytest.MonkeyPatch.context() as patch:
        for variable in THREAD_VARIABLES:  # the libraries are loaded there
            patch.setenv(variable, "1")
        patch.setattr(spawn, "_python_exe", os.fsencode(python))
        forked.set_forkserver_preload(IMPORTED)
        forkserver.ensure_running()
    return forked.Process(target=_in_environment, args=(dict(os.environ), target, *args), daemon=daemon)


def _in_environment(environment: Mapping[str, str], target: Callable[..., None], *args: Any) -> None:
    """Runs in the worker, with the environment of now, as a spawned one has it."""
    os.environ.clear()
    os.environ.update(environment)
    target(*args)
