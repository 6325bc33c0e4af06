"""What a person at a terminal sees: quiet servers, one-line errors.

Only the command line uses this. A flow run by a Prefect worker keeps Prefect's own logging.
"""

from __future__ import annotations

import errno
import logging
import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import typer

from mien.flows.cli.prefect_home import give_home
from mien.storage.secrets import scrubbed

_DEFAULTS = {
    # A thread that waits sleeps: spinning, torch's threads slow each other down wherever cores are shared.
    "OMP_WAIT_POLICY": "PASSIVE",
    "DO_NOT_TRACK": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    # The embedded server ends with the command. On a busy machine it then reports, with stack traces, what it was about
    # to write into its own log of events; nobody reads that again.
    "PREFECT_LOGGING_SERVER_LEVEL": "CRITICAL",
    # Its start takes 5 to 10 seconds, and a multiple of that beside other work.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
    "ORT_LOGGING_LEVEL": "3",
}

_OF_THE_USER = {
    errno.EACCES: "check the permissions of the file and its folder",
    errno.EPERM: "check the permissions of the file and its folder",
    errno.EROFS: "the disk is read-only, choose another folder",
    errno.ENOSPC: "the disk is full, free some space",
    errno.EDQUOT: "your quota of the disk is used up, free some space",
}
"""What to do about errors of the operating system that no code of this project has caused."""


def quiet_servers() -> None:
    """Silences what the libraries say by default, unless the environment sets it. Call before importing them."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    give_home()
    # Where one is needed, `check_home` says so in one line.
    warnings.filterwarnings("ignore", message="Failed to create the Prefect home directory")
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    warnings.filterwarnings("ignore", category=FutureWarning)


def _kinds(own: Iterable[type[BaseException]]) -> Iterator[type[BaseException]]:
    for kind in own:
        yield kind
        yield from _kinds(kind.__subclasses__())


class _OwnErrorsInOneLine(logging.Filter):
    """Drops Prefect's records of an error that the command line is about to show in one line."""

    def __init__(self, own: tuple[type[BaseException], ...]) -> None:
        super().__init__()
        self._own = tuple(_kinds(own))

    def filter(self, record: logging.LogRecord) -> bool:
        # A record that was shortened (`tasks/runtime/failure_lines.py`) has its error beside it.
        error = getattr(record, "failure", None) or (record.exc_info[1] if record.exc_info else None)
        if isinstance(error, self._own):
            return False
        # The run's last state repeats the error, by its type's name.
        text = record.getMessage()
        return not (
            text.startswith("Finished in state Failed") and any(f"{own.__name__}:" in text for own in self._own)
        )


@contextmanager
def own_errors_in_one_line(*own: type[BaseException]) -> Iterator[None]:
    """While the block runs, Prefect does not print stack traces of these errors; all others stay visible."""
    loggers = [logging.getLogger(name) for name in ("prefect.flow_runs", "prefect.task_runs", "prefect.engine")]
    silence = _OwnErrorsInOneLine(own)
    for logger in loggers:
        logger.addFilter(silence)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(silence)


@contextmanager
def at_the_terminal() -> Iterator[None]:
    """Errors that the user can act on are shown in one line; the command ends with their exit code."""
    quiet_servers()
    import httpx

    from mien.model.errors import ModelError
    from mien.storage import StorageError
    from mien.tasks.errors import AbandonedError, RunError, UsageError

    own = (UsageError, RunError, StorageError, ModelError)
    try:
        # Whatever comes over httpx here comes from Prefect's client.
        with own_errors_in_one_line(*own, AbandonedError, httpx.TransportError, PermissionError):
            yield
    except UsageError as error:
        _fail(error, 2)
    except own as error:
        _fail(error, 1)
    except OSError as error:  # of a library that writes by itself: MLflow, torch, Prefect
        if error.errno not in _OF_THE_USER:
            raise
        _fail(
            f"{error.filename or 'a file'} cannot be read or written ({error.strerror}): {_OF_THE_USER[error.errno]}", 1
        )
    except httpx.TransportError as error:
        _fail(_lost_api(error), 1)
    except RuntimeError as error:
        if not str(error).startswith("Failed to reach API"):
            raise
        _fail(_lost_api(error), 1)


def _lost_api(error: Exception) -> str:
    from prefect.settings import PREFECT_API_URL

    where = PREFECT_API_URL.value() or "of this process"
    return (
        f"the Prefect API at {where} does not answer ({type(error).__name__}): start it, or unset PREFECT_API_URL. "
        "What is written stays; the same command goes on from here"
    )


def harmless(text: str) -> str:
    """The text without secrets, and without what a terminal obeys: labels and names of files may hold control
    characters."""
    shown = scrubbed(text)
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in shown)


def _fail(error: BaseException | str, code: int) -> None:
    typer.echo(f"error: {harmless(str(error))}", err=True)
    raise typer.Exit(code) from None
