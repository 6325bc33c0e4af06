"""Programs of the quick Python, of which a test has to know by which process id a root does."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

_VARIABLE = "MIEN_TEST_PID"
_TELL_PID = f"""
import os, pathlib
pathlib.Path(os.environ["{_VARIABLE}"]).write_text(str(os.getpid()))
"""


class QuickProgram(subprocess.Popen[str]):
    """Python code in a session of its own. What is killed is the client, and the program and its workers with it."""

    def __init__(
        self, python: str, code: str, *arguments: object, environment: Mapping[str, str], folder: Path
    ) -> None:
        self._told = folder / f"{uuid4().hex}.pid"
        super().__init__(
            [python, "-c", _TELL_PID + code, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={**environment, _VARIABLE: str(self._told)},
            start_new_session=True,
        )

    @property
    def program_pid(self) -> int | None:
        """Of the program itself; None until it has begun."""
        text = self._told.read_text() if self._told.exists() else ""
        return int(text) if text else None

    def kill_all(self) -> str:
        """With its workers, at once; what it has said on stderr."""
        os.killpg(self.pid, signal.SIGKILL)
        _, complained = self.communicate()
        assert self.returncode == -signal.SIGKILL
        return complained
