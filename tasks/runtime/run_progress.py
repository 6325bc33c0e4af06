"""The progress of the steps of a Prefect run: lines in the log of the run, and an artifact for each step.

The artifact is written from a thread of its own. A step that comes on faster than Prefect's API answers is not slowed
down by it.
"""

from __future__ import annotations

import sys
import threading
from contextvars import copy_context
from typing import cast
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.logging import get_run_logger

from mien.tasks.runtime.progress import Line, LineDisplay
from mien.tasks.runtime.run_artifacts import artifact_key, attempted, in_a_run

ARTIFACT_EVERY_S = 5.0
LAST_WAIT_S = 20.0
"""How long the end of a step waits for its artifact, where Prefect's API is slow."""


class RunDisplay:
    """Shows the steps of a run in the run itself."""

    def open(self, title: str, total: float, unit: str) -> object:
        """Begins to show a step, of the run that this is called in."""
        return _RunStep(title, total, unit)

    def advance(self, step: object, done: float, total: float | None = None) -> None:
        """So many units more are done; may be called from any thread."""
        assert isinstance(step, _RunStep)
        step.lines.advance(step.line, done, total)

    def close(self, step: object) -> None:
        """The step has ended, whether it is done or has failed."""
        assert isinstance(step, _RunStep)
        step.close()


def display_of_run() -> RunDisplay | None:
    """What shows the steps of the flow run that this is called in; None outside of one."""
    return _display if in_a_run() else None


_display = RunDisplay()


class _RunStep:
    def __init__(self, title: str, total: float, unit: str) -> None:
        self.lines = LineDisplay(get_run_logger().info)
        self.line: Line = self.lines.open(title, total, unit)
        self._key = artifact_key(title)
        self._ended = threading.Event()
        # The thread knows the run by its context, which Prefect takes the ids for the artifact from.
        self._thread = threading.Thread(target=copy_context().run, args=(self._report,), daemon=True)
        if total:
            self._thread.start()

    def close(self) -> None:
        """Writes the last line and the last state of the artifact."""
        self._ended.set()
        if self.line.total:
            self.lines.close(self.line)
        interrupted = not isinstance(sys.exc_info()[1], Exception | None)  # then nobody is to wait
        if self._thread.is_alive() and not interrupted:
            self._thread.join(LAST_WAIT_S)

    def _report(self) -> None:
        shown, text = self._percent(), self.line.text()
        # In a thread without an event loop it gives no coroutine.
        artifact = attempted(self._key, lambda: cast(UUID, create_progress_artifact(shown, self._key, text)))
        while artifact is not None and not self._ended.wait(ARTIFACT_EVERY_S):
            if self._percent() != shown:
                shown = self._percent()
                artifact = self._update(artifact, shown)
        if artifact is not None:
            self._update(artifact, self._percent())

    def _update(self, artifact: UUID, percent: float) -> UUID | None:
        """None after a failure, which was told: another one would say the same."""
        text = self.line.text()
        return attempted(self._key, lambda: cast(UUID, update_progress_artifact(artifact, percent, text)))

    def _percent(self) -> float:
        line = self.line
        return min(100.0, 100.0 * max(line.done, 0.0) / line.total) if line.total else 100.0
