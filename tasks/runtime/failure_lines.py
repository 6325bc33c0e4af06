"""What the log of a Prefect run says of a failure: one line with the cause.

Prefect logs an error with its stack trace in the task run, again in each flow run around it, and its text once more in
the last state of each. Of errors whose message says what to do, here one line stays. Any other error is a bug: its
stack trace is logged once. What is left out is there at the level DEBUG.
"""

from __future__ import annotations

import copy
import logging
import traceback

from mien.model.errors import ModelError, first_line
from mien.storage import StorageError
from mien.storage.secrets import scrubbed
from mien.tasks.errors import AbandonedError, RunError, UsageError

OWN = (UsageError, RunError, StorageError, ModelError, AbandonedError)
"""Errors that are one line which says what to do."""

_LOGGERS = ("prefect.flow_runs", "prefect.task_runs", "prefect.engine")
_LOGGED = "_mien_logged"
"""Attribute of an error that was logged already."""


class FailureLines(logging.Filter):
    """Shortens the records of failures."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged; it may be changed."""
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            if record.levelno == logging.ERROR and _is_last_state(record.getMessage()):
                record.levelno, record.levelname = logging.INFO, logging.getLevelName(logging.INFO)
            return True
        if record.levelno < logging.ERROR:
            return True
        known = getattr(error, _LOGGED, False)
        setattr(error, _LOGGED, True)
        if isinstance(error, OWN) or known:
            _debug(record)
        if isinstance(error, OWN) and known:
            return False
        _shorten(record, error, with_trace=not (isinstance(error, OWN) or known))
        return True


def _is_last_state(text: str) -> bool:
    """Whether it is the last state of a run, which repeats an error of ours by the name of its type."""
    return text.startswith("Finished in state Failed") and any(f"{name}:" in text for name in _names(OWN))


def _names(kinds: tuple[type[BaseException], ...]) -> list[str]:
    return [name for kind in kinds for name in (kind.__name__, *_names(tuple(kind.__subclasses__())))]


def _shorten(record: logging.LogRecord, error: BaseException, *, with_trace: bool) -> None:
    where = record.getMessage().partition(":")[0]
    name = "" if isinstance(error, OWN) else f"{type(error).__name__}: "
    record.msg, record.args = scrubbed(f"{where}: {name}{first_line(error)}{_cause(error)}"), ()
    record.failure = error
    record.exc_info = None
    # Formatters take a text that is there: a stack trace shows lines of code, and may show an address with a token.
    record.exc_text = scrubbed("".join(traceback.format_exception(error)).rstrip()) if with_trace else None


def _cause(error: BaseException) -> str:
    """What was behind the error, where its message does not say it."""
    cause = error.__cause__
    while cause is not None and cause.__cause__ is not None:
        cause = cause.__cause__
    if cause is None or (text := first_line(cause)) in str(error):
        return ""
    return f" (cause: {type(cause).__name__}: {text})"


def _debug(record: logging.LogRecord) -> None:
    """Logs the record as it was at the level DEBUG, where anybody listens to that."""
    logger = logging.getLogger(record.name)
    if logger.isEnabledFor(logging.DEBUG):
        whole = copy.copy(record)
        whole.levelno, whole.levelname = logging.DEBUG, logging.getLevelName(logging.DEBUG)
        logger.handle(whole)


def shorten_failures() -> None:
    """From now on the runs of this process log failures so."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(each, FailureLines) for each in logger.filters):
            logger.addFilter(FailureLines())
