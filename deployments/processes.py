"""Processes in sessions of their own: started, noted, and ended by pid and start time."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

_children: dict[int, subprocess.Popen[bytes]] = {}
"""What this process has started and not ended. A `Popen` that is dropped before warns."""


@dataclass(frozen=True)
class Started:
    """A process as it is noted: a pid alone may belong to another process tomorrow."""

    name: str
    pid: int
    start_time_s: float
    """As the operating system has it."""

    def process(self) -> psutil.Process | None:
        """The process, if it is still this one."""
        try:
            process = psutil.Process(self.pid)
            return process if process.create_time() == self.start_time_s else None
        except psutil.NoSuchProcess:
            return None

    @property
    def runs(self) -> bool:
        """Whether it has not ended, be it that nobody has asked yet how."""
        process = self.process()
        try:
            return process is not None and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


def start(name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path) -> Started:
    """Starts a command in a session of its own, its output in a log."""
    with log.open("ab") as output:
        process = subprocess.Popen(  # nosec B603 # our own commands, as lists
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    _children[process.pid] = process
    return Started(name, process.pid, psutil.Process(process.pid).create_time())


def write_note(path: Path, processes: Sequence[Started]) -> None:
    """Notes what runs."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps([asdict(process) for process in processes]))
    temporary.replace(path)


def read_note(path: Path) -> list[Started]:
    """What `write_note` noted; empty where there is no note.

    Raises:
        ValueError: the note is damaged.
    """
    if not path.exists():
        return []
    try:
        return [Started(**process) for process in json.loads(path.read_text())]
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} is damaged: end the servers by hand, then delete it") from error


def end(started: Started, patience_s: float = 15) -> bool:
    """Asks a process and all below it to end, then insists. False where it had ended before."""
    process = started.process()
    if process is None:
        return False
    family = [process, *process.children(recursive=True)]
    for member in family:
        _signal(member.terminate)
    _, alive = psutil.wait_procs(family, timeout=patience_s)
    for member in alive:
        _signal(member.kill)
    psutil.wait_procs(alive, timeout=patience_s)
    if child := _children.pop(started.pid, None):
        child.poll()
    return True


def _signal(send: Callable[[], None]) -> None:
    try:
        send()
    except psutil.NoSuchProcess:
        return
