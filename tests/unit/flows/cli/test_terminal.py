"""Errors at the terminal: the user's in one line, all others whole."""

from __future__ import annotations

import io
import logging

import httpx
import pytest
import typer

from mien.flows.cli.terminal import at_the_terminal, harmless, own_errors_in_one_line
from mien.storage import StorageError
from mien.tasks.errors import UsageError, checking_arguments


@pytest.fixture
def log() -> io.StringIO:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    logger = logging.getLogger("prefect.flow_runs")
    logger.addHandler(handler)
    yield out
    logger.removeHandler(handler)


def test_labels_tell_the_terminal_nothing() -> None:
    assert harmless("\x1b]0;pwned\x07\x1b[2J anna\u202e\tben\nJörg") == (
        "\\x1b]0;pwned\\x07\\x1b[2J anna\\u202e\tben\nJörg"
    )


def fail(error: Exception) -> None:
    try:
        raise error
    except type(error):
        logging.getLogger("prefect.flow_runs").exception("Encountered exception during execution: %r", error)
        logging.getLogger("prefect.flow_runs").error("Finished in state Failed(%r)", f"{type(error).__name__}: {error}")


def test_what_the_user_can_mend_leaves_no_trace(log: io.StringIO) -> None:
    with own_errors_in_one_line(UsageError):
        fail(UsageError("choose another size"))
    assert log.getvalue() == ""


def test_a_bug_keeps_its_stack_trace(log: io.StringIO) -> None:
    with own_errors_in_one_line(UsageError):
        fail(KeyError("bug"))
    assert "Traceback" in log.getvalue()
    assert "KeyError" in log.getvalue()


def test_afterwards_nothing_is_silenced(log: io.StringIO) -> None:
    with own_errors_in_one_line(UsageError):
        pass
    fail(UsageError("visible"))
    assert "visible" in log.getvalue()


def test_an_error_about_an_argument_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="no such set"), checking_arguments():
        raise StorageError("no such set: choose one")


def test_a_prefect_api_that_does_not_answer_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.flows.cli.terminal.quiet_servers", lambda: None)
    for error in (httpx.ConnectError("refused"), RuntimeError("Failed to reach API at http://nowhere/api/")):
        with pytest.raises(typer.Exit) as told, at_the_terminal():
            raise error
        assert told.value.exit_code == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: the Prefect API at ")
        assert "the same command goes on from here" in line
    with pytest.raises(RuntimeError, match="a bug"), at_the_terminal():
        raise RuntimeError("a bug")
