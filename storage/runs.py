"""Who is at work in a root: jobs that write shards, and the collection that deletes what nobody holds.

    runs/{id}.json    put when a run starts, written anew every `BEAT_S`, deleted at its end; stale after `STALE_S`

A job finds old shards that no version of a set holds yet, and commits them later. A collection must not delete these in
between. Why it cannot:

1. Each puts its marker first and looks for those of the other kind then. Whichever of two markers came second, its run
   sees the first one. A job that sees a collection takes its marker back and waits; a collection that sees a job ends.
   So at no time are both past that point, as long as no marker is taken for stale while its run is alive.
2. A marker is taken for stale by its age alone, after `STALE_S`, by the filesystem's clock. A run whose last beat is
   `STALE_S / 2` ago by its own clock counts itself as lapsed, so it does before anybody else can.
3. A job looks whether it has lapsed before it writes a version of a set (`write_set`), and after. A collection looks
   before each file that it deletes. A lapsed run (it was suspended, or its root was away) ends with one line.

What is left: a process that is suspended for `STALE_S / 2` just between the look and the one call after it. A job finds
that out by its second look; a collection may then have deleted that one file, which `mien verify` tells of.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import uuid4

from mien.storage.errors import ChangedError, MissingError, StorageError
from mien.storage.root import Root

BEAT_S = 20.0
STALE_S = 600.0
_LOOK_S = 2.0
"""Between two looks of a job that waits."""
_FOLDER = "runs"
_log = logging.getLogger("mien.storage")

Kind = Literal["job", "collection"]


@dataclass(frozen=True)
class Run:
    """What a marker says."""

    kind: Kind
    what: str
    host: str
    pid: int
    started: str

    def __str__(self) -> str:
        return f"{self.what} (process {self.pid} on {self.host}, since {self.started})"


class Marker:
    """The marker of a run that is alive; a thread writes it anew."""

    def __init__(self, root: Root, kind: Kind, what: str) -> None:
        started = datetime.now(UTC).isoformat(timespec="seconds")
        self.root = root
        self.run = Run(kind, what, socket.gethostname(), os.getpid(), started)
        self.path = f"{_FOLDER}/{uuid4().hex}.json"
        self._lapsed = False
        self._beat_wall_s, self._beat_s = time.time(), time.monotonic()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def put(self) -> None:
        """Writes the file."""
        wall_s, now_s = time.time(), time.monotonic()
        self.root.write_bytes(self.path, json.dumps(asdict(self.run)).encode())
        self._beat_wall_s, self._beat_s = wall_s, now_s

    def start(self) -> None:
        """From now on it is written anew."""
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Deletes the file."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        self.root.delete(self.path)

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_S):
            if self.lapsed():
                return
            try:
                if not self.root.exists(self.path):  # another run took it for stale
                    self._lapsed = True
                    return
                self.put()
            except StorageError as error:
                _log.warning("%s", error)

    def lapsed(self) -> bool:
        """Whether others may take this run for dead: its last beat is too long ago."""
        # A suspended machine's monotonic clock may stand still, and a wall clock may be put back.
        passed_s = max(time.monotonic() - self._beat_s, time.time() - self._beat_wall_s)
        self._lapsed = self._lapsed or passed_s > STALE_S / 2
        return self._lapsed

    def check(self) -> None:
        """Raises ChangedError if others may have taken this run for dead."""
        if self.lapsed():
            raise ChangedError(
                f"{self.run} had no sign of life for so long that files may have been deleted under it: run it again"
            )


_current: ContextVar[Marker | None] = ContextVar("run of this context", default=None)


@contextmanager
def job(root: Root, what: str) -> Generator[Marker, None, None]:
    """While the block runs, no collection deletes anything from the root. Waits for one that is under way.

    Inside the block of another one over the same root it changes nothing.
    """
    outer = _current.get()
    if outer is not None and outer.root == root:
        yield outer
        return
    marker = Marker(root, "job", what)
    _put_when_alone(marker)
    marker.start()
    token = _current.set(marker)
    try:
        yield marker
    finally:
        _current.reset(token)
        marker.end()


def _put_when_alone(marker: Marker) -> None:
    warned = False
    while True:
        marker.put()
        others = alive(marker, "collection")
        if not others:
            return
        marker.root.delete(marker.path)
        if not warned:
            _log.warning("waiting for %s", others[0])
            warned = True
        time.sleep(_LOOK_S)


@contextmanager
def collection(root: Root, what: str) -> Generator[Marker, None, None]:
    """While the block runs, no job begins in the root.

    Raises:
        StorageError: a job or another collection is under way.
    """
    marker = Marker(root, "collection", what)
    marker.put()
    try:
        if others := [*alive(marker, "job"), *alive(marker, "collection")]:
            raise StorageError(f"{others[0]} is at work in {root.url}: run this again when it has ended")
        marker.start()
        yield marker
    finally:
        marker.end()


def check_current(root: Root) -> None:
    """Raises ChangedError if the job of this context may have been taken for dead. Without one nothing is checked."""
    marker = _current.get()
    if marker is not None and marker.root == root:
        marker.check()


def alive(own: Marker, kind: Kind) -> list[Run]:
    """Runs of a kind in the root of `own` that are not stale. The markers of stale ones are deleted."""
    now = own.root.modified(own.path)  # the filesystem's clock, which may not be this machine's
    found: list[Run] = []
    for name in own.root.list(_FOLDER):
        path = f"{_FOLDER}/{name}"
        if path == own.path or not name.endswith(".json"):
            continue
        try:
            age_s = (now - own.root.modified(path)).total_seconds()
            run = _parsed(own.root.read_bytes(path))
        except MissingError:
            continue  # it has just ended
        if run.kind == kind and age_s < STALE_S:
            found.append(run)
        elif age_s >= STALE_S:
            own.root.delete(path)
    return found


def _parsed(data: bytes) -> Run:
    """What a marker says; a damaged one is taken for a job, and goes stale like any other."""
    try:
        content: Any = json.loads(data)
        return Run(**content)
    except (ValueError, TypeError):
        return Run("job", "a run whose marker is damaged", "an unknown host", 0, "an unknown time")
