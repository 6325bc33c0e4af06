"""Leases: who has which shard in hand, so that several runs at once do not make the same one.

    {table}/leases/{shard}.json    created by who takes the shard, written anew every `BEAT_S`, deleted when it is made

A lease saves work and decides nothing: shards are named by what decides their content, so a shard that two make has the
same bytes. Whatever goes wrong with a lease costs time at most. So a root in which none can be written is worked in
without, and a file that nobody can read is a lease whose holder is not known.

Clocks of machines may be far apart, so a lease says no time. It has a number that grows with every beat, and says for
how many seconds it counts without one. A reader takes it for dead when it has read the same bytes for so long, by its
own monotonic clock. Where the holder was a process of the reader's own machine, the reader looks whether it still runs,
and need not wait.

A shard with rows whose source did not answer has a name of its own (`storage/unfinished.py`), and others would not find
it: one after the other would ask the same sources again. So runs of one job leave a note instead of deleting the lease,
which says what the shard is called. A note that was there when a run began is of a former one, and counts as no lease.

A dead lease is taken over by compare-and-swap (`storage/swaps.py`), so that one of several readers has it. A holder
that was suspended for longer than its lease goes on, learns from its next beat that the lease is another's, and leaves
that one alone.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from mien.storage.errors import MissingError, StorageError, TransientError
from mien.storage.lease_files import is_dead, lease_path
from mien.storage.lease_text import LeaseText, new_text, parsed_text
from mien.storage.root import Root
from mien.storage.schemas import TableName
from mien.storage.swaps import swap

BEAT_S = 20.0
LEASE_S = 120.0
"""Without a beat; several of them may fail before others take the shard."""
_ATTEMPTS = 3
"""At taking a lease that others take and give back at the same time."""

_log = logging.getLogger("mien.storage")


# --- Leases of this process -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Held:
    """Another run has the shard in hand."""

    by: str


@dataclass(frozen=True)
class MadeElsewhere:
    """Another run of the job has made the shard, and it is called so."""

    name: str


class Lease:
    """A shard that this process has in hand; without a file where none could be written."""

    def __init__(self, root: Root, path: str, text: LeaseText | None) -> None:
        self._root, self._path = root, path
        self._text = text
        self._written_s = time.monotonic()
        self._lock = threading.Lock()
        self.made = ""
        """What the shard is called, for a note that stays; without it the file is deleted at the end."""

    @property
    def has_file(self) -> bool:
        """Whether there is a file that says so, as far as this process knows."""
        return self._text is not None

    def beat(self) -> None:
        """Writes the file anew, unless it is another's by now.

        Raises:
            StorageError: the root cannot be read or written.
        """
        with self._lock:
            if self._text is None:
                return
            later, begun_s = replace(self._text, beat=self._text.beat + 1), time.monotonic()
            if not self._is_own(self._text):
                self._text = None
                return
            self._root.write_bytes(self._path, later.data())
            self._text, self._written_s = later, begun_s

    def end(self) -> None:
        """Deletes the file or leaves a note in it, unless it is another's by now. What cannot be deleted runs out."""
        with self._lock:
            text, self._text = self._text, None
            if text is None:
                return
            with suppress(StorageError):
                # Nobody takes over what was written a moment ago, so that there is nothing to compare.
                if time.monotonic() - self._written_s >= text.lease_s / 2 and not self._is_own(text):
                    return
                if self.made:
                    self._root.write_bytes(self._path, replace(text, made=self.made).data())
                else:
                    self._root.delete(self._path)

    def _is_own(self, text: LeaseText) -> bool:
        try:
            found = parsed_text(self._root.read_bytes(self._path))
        except MissingError:
            return False
        return found is not None and found.holder == text.holder


class _Hands:
    """What this process has in hand, and the thread that beats the leases of it."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._held: dict[tuple[str, str], Lease | None] = {}
        self._thread: threading.Thread | None = None

    @property
    def is_of_this_process(self) -> bool:
        return self._pid == os.getpid()

    def has(self, root: Root, path: str) -> bool:
        return (root.url, path) in self._held

    @contextmanager
    def reserved(self, root: Root, path: str) -> Iterator[bool]:
        """Whether nobody else in this process has it; then nobody else takes it in the block."""
        key = root.url, path
        with self._lock:
            is_free = key not in self._held
            if is_free:
                self._held[key] = None
        try:
            yield is_free
        finally:
            if is_free:
                with self._lock:
                    del self._held[key]

    def put(self, root: Root, path: str, lease: Lease) -> None:
        with self._lock:
            self._held[root.url, path] = lease
            if self._thread is None:
                self._thread = threading.Thread(target=self._beat, name="leases", daemon=True)
                self._thread.start()

    def leases(self) -> list[Lease]:
        with self._lock:
            return [lease for lease in self._held.values() if lease is not None]

    def _beat(self) -> None:
        while True:
            time.sleep(BEAT_S)
            for lease in self.leases():
                try:
                    lease.beat()
                except TransientError:  # the root is away: the others would only wait for it, too
                    break
                except StorageError as error:
                    _log.debug("%s", error)


_of_this_process = _Hands()
_complained = set[str]()
"""Roots without leases."""


def _hands() -> _Hands:
    global _of_this_process
    if not _of_this_process.is_of_this_process:  # it was forked: threads and leases are the parent's
        _of_this_process = _Hands()
    return _of_this_process


@contextmanager
def leased(
    root: Root, table: TableName, name: str, what: str, past: str | None = None
) -> Iterator[Lease | Held | MadeElsewhere]:
    """Takes the lease of a shard for the time of the block; or says who has it, or has made it.

    Where none can be written it is a lease without a file, and the log has a line.

    Args:
        root: Where the shard is to lie.
        table: Of the shard.
        name: Of the shard.
        what: What the holder does, for others to read.
        past: Which note counts as none, from `past_notes`; None for a run that takes no notice of any.
    """
    path, hands = lease_path(table, name), _hands()
    with hands.reserved(root, path) as is_free:
        lease = _taken(root, path, what, past) if is_free else Held(f"{what} in this process")
        if not isinstance(lease, Lease):
            yield lease
            return
        hands.put(root, path, lease)
        try:
            yield lease
        finally:
            lease.end()


def _taken(root: Root, path: str, what: str, past: str | None = None) -> Lease | Held | MadeElsewhere:
    text = new_text(what, LEASE_S)
    try:
        for _ in range(_ATTEMPTS):
            if root.create_bytes(path, text.data()):
                return Lease(root, path, text)
            try:
                theirs = root.read_bytes(path)
            except MissingError:
                continue  # its holder has just ended it
            if theirs == text.data():  # it was written, and the answer was lost
                return Lease(root, path, text)
            note = parsed_text(theirs)
            if note is not None and note.made and past is not None and note.holder != past:
                return MadeElsewhere(note.made)
            if not is_dead(root, path, theirs, in_hand=False):
                return _held(theirs)
            if swap(root, path, theirs, text.data()):
                return Lease(root, path, text)
        return Held("several runs at once")
    except StorageError as error:
        if root.url not in _complained:
            _complained.add(root.url)
            _log.warning("%s; without leases, runs at the same time may make a shard twice", error)
        return Lease(root, path, None)


def end_leases() -> None:
    """Ends all leases of this process: it is about to end, and others are not to wait for it."""
    for lease in _hands().leases():
        lease.end()


# --- Leases of others -------------------------------------------------------------------------------------------------


def holder(root: Root, table: TableName, name: str) -> Held | None:
    """Who has a shard in hand; None where nobody has, or who had it is dead.

    Raises:
        StorageError: the root cannot be read.
    """
    path = lease_path(table, name)
    try:
        theirs = root.read_bytes(path)
    except MissingError:
        return None
    return None if is_dead(root, path, theirs, _hands().has(root, path)) else _held(theirs)


def _held(data: bytes) -> Held:
    return Held(str(parsed_text(data) or "a run whose lease cannot be read"))
