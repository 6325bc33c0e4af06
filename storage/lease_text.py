"""What a lease says (`storage/leases.py`), and whether the process that wrote it still runs."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import uuid4

from mien.storage.json_shapes import from_json

FORMAT = 1
_MAX_LEASE_S = 600.0
"""What is believed of a lease that says for how long it counts."""


@dataclass(frozen=True)
class LeaseText:
    """The content of a lease."""

    format: int
    holder: str
    """Names one taking of the shard: no other has the same."""
    process: str
    """Names the holder's process."""
    machine: str
    """Names the machine with its boot and its space of process numbers; empty where that is not known."""
    host: str
    pid: int
    begun: int
    """When the process began, in ticks since the boot: numbers of processes are used again."""
    what: str
    beat: int
    lease_s: float
    """How long it counts without a beat, in seconds."""
    made: str = ""
    """What the shard is called that the holder has made, where that is not the name that others look for."""

    def __str__(self) -> str:
        return f"{self.what} (process {self.pid} on {self.host})"

    def data(self) -> bytes:
        """The bytes of the file."""
        return json.dumps(asdict(self)).encode()

    @property
    def is_of_this_process(self) -> bool:
        """Whether this process wrote it."""
        return self.process == own_process().name

    @property
    def has_ended(self) -> bool:
        """Whether the holder's process is known to have ended. Only of this machine anything is known."""
        own = own_process()
        return bool(own.machine) and self.machine == own.machine and _begun(self.pid) != self.begun


def new_text(what: str, lease_s: float) -> LeaseText:
    """A lease of this process."""
    own, host = own_process(), socket.gethostname()
    return LeaseText(FORMAT, uuid4().hex, own.name, own.machine, host, own.pid, own.begun, what, 0, lease_s)


def parsed_text(data: bytes) -> LeaseText | None:
    """None for bytes that are no lease of this format."""
    try:
        text = from_json(LeaseText, json.loads(data))
    except (ValueError, RecursionError):
        return None
    return text if text.format == FORMAT and 0 < text.lease_s <= _MAX_LEASE_S else None


@dataclass(frozen=True)
class Process:
    """A process, as its leases name it."""

    pid: int
    name: str
    machine: str
    begun: int


_own: Process | None = None


def own_process() -> Process:
    """This process."""
    global _own
    if _own is None or _own.pid != os.getpid():  # a forked process is another one
        pid = os.getpid()
        _own = Process(pid, uuid4().hex, _machine(), _begun(pid) or 0)
    return _own


def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{socket.gethostname()}/{boot}/{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return ""


def _begun(pid: int) -> int | None:
    """When a process of this machine began; None where it has ended, or is about to be reaped."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        return None if state in "ZX" else int(rest[18])
    except (OSError, ValueError, IndexError):
        return None
