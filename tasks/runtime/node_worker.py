"""What runs on a node of a cluster for a worker pool: a worker process, as a pool of that machine would have it.

    pool ── work, pickled ──► NodeWorker, an actor ── the same ──► worker process
         ◄─ units done, answer ──             ◄─ reports, outcome ──

So an item that crashes or hangs a library ends the worker process and not the actor, and time and memory of an item are
measured where it is worked on.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from mien.storage import Root, StorageError
from mien.tasks.runtime.limits import WorkLimits
from mien.tasks.runtime.worker_process import Allowed, WorkerDiedError, WorkerProcess

_TELL_S = 0.5
"""Between two messages on how much is done."""


@dataclass(frozen=True)
class Seen:
    """What the process that asks for work sees, and a node has to see as well."""

    root: str
    marker: str
    """A file in the root."""
    folder: str
    """The working directory, from which relative paths are taken."""


@dataclass(frozen=True)
class Answer:
    """What came of a call."""

    result: Any = None
    error: Exception | None = None


class NodeWorker:
    """One worker process on this node, started when there is work for it and replaced when it has died."""

    def __init__(self, limits: WorkLimits, seen: Seen) -> None:
        self._limits, self._seen = limits, seen
        self._process: WorkerProcess | None = None

    def look(self) -> tuple[str, str | None]:
        """The name of this node; and why it is of no use, if so."""
        with suppress(OSError):  # where there is no such folder, relative paths have another meaning
            os.chdir(self._seen.folder)
        node = socket.gethostname()
        try:
            root = Root(self._seen.root)
            if root.exists(self._seen.marker):
                return node, None
            if root.local_path("") is None:
                return node, f"sees another {root.url}: check its endpoint and credentials"
            return node, f"does not see {root.url}: take a folder that all nodes share, or a URL such as s3://bucket"
        except StorageError as error:
            return node, f"does not reach the root: {error}"

    def call(self, job: bytes, allowed: Allowed) -> Iterator[float | Answer]:
        """How many units are done, now and then, negative where they are to be done again; at last the answer.

        Args:
            job: A call, pickled.
            allowed: What an item may take.
        """
        done = SimpleQueue[float | Answer]()
        with ThreadPoolExecutor(1) as thread:
            thread.submit(self._work, job, allowed, done)
            while True:
                units, answer = _within(_TELL_S, done)
                if units:
                    yield units
                if answer is not None:
                    yield answer
                    return

    def _work(self, job: bytes, allowed: Allowed, done: SimpleQueue[float | Answer]) -> None:
        try:
            if self._process is None or not self._process.is_alive():
                with _main_left_out():
                    self._process = WorkerProcess(self._limits)
            done.put(Answer(self._process.call_pickled(job, allowed, done.put)))
        except WorkerDiedError as death:
            if self._process is not None:
                self._process.end()
            self._process = None
            done.put(Answer(error=death))
        except Exception as error:
            done.put(Answer(error=error))


def _within(seconds: float, done: SimpleQueue[float | Answer]) -> tuple[float, Answer | None]:
    """The units that are done within this time, or until the answer."""
    until_s, units = time.monotonic() + seconds, 0.0
    while (left_s := until_s - time.monotonic()) > 0:
        try:
            message = done.get(timeout=left_s)
        except Empty:
            break
        if isinstance(message, Answer):
            return units, message
        units += message
    return units, None


@contextmanager
def _main_left_out() -> Iterator[None]:
    """A spawned process imports the main module of its parent. Here that is Ray's, which takes a second of a core."""
    main = sys.modules["__main__"]
    file = main.__dict__.pop("__file__", None)
    try:
        yield
    finally:
        if file is not None:
            main.__dict__["__file__"] = file
