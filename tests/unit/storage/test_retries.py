"""What passes by itself is asked again, what does not is told at once."""

from __future__ import annotations

import errno
from collections.abc import Callable
from uuid import uuid4

import pytest

from mien.storage import ContentError, MissingError, StorageError, TransientError, retries
from mien.storage.retries import PAUSES_S, is_transient, retried
from mien.storage.root import storage_errors


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr(retries.time, "sleep", slept.append)
    return slept


def failing(times: int, error: Exception) -> tuple[Callable[[], str], list[int]]:
    asked: list[int] = []

    def ask() -> str:
        asked.append(1)
        if len(asked) <= times:
            raise error
        return "answer"

    return ask, asked


def test_a_source_that_comes_back_is_asked_until_it_answers(pauses: list[float]) -> None:
    ask, asked = failing(3, TransientError("503"))
    assert retried(ask, uuid4().hex) == "answer"
    assert len(asked) == 4
    assert pauses == list(PAUSES_S[:3])
    assert list(PAUSES_S) == sorted(set(PAUSES_S))


@pytest.mark.parametrize("error", [MissingError("gone"), ContentError("damaged"), StorageError("refused")])
def test_what_will_not_change_is_asked_once(error: StorageError) -> None:
    ask, asked = failing(1, error)
    with pytest.raises(type(error)):
        retried(ask, uuid4().hex)
    assert len(asked) == 1


def test_a_server_that_stays_away_costs_its_pauses_a_few_times_only() -> None:
    whom = uuid4().hex
    for _ in range(retries.MAX_EXHAUSTED):
        ask, asked = failing(99, TransientError("503"))
        with pytest.raises(TransientError):
            retried(ask, whom)
        assert len(asked) == len(PAUSES_S) + 1
    ask, asked = failing(99, TransientError("503"))
    with pytest.raises(TransientError):
        retried(ask, whom)
    assert len(asked) == 1
    assert retried(lambda: "it is back", whom) == "it is back"
    ask, asked = failing(2, TransientError("503"))
    assert retried(ask, whom) == "answer"


def test_attempts_within_attempts_do_not_multiply() -> None:
    ask, asked = failing(99, TransientError("503"))
    inner, outer = uuid4().hex, uuid4().hex
    with pytest.raises(TransientError):
        retried(lambda: retried(ask, inner), outer)
    assert len(asked) == len(PAUSES_S) + 1


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (OSError(errno.EIO, "I/O error"), True),
        (OSError(errno.ESTALE, "stale mount"), True),
        (OSError(errno.EMFILE, "too many files"), True),
        (OSError(errno.ENOSPC, "disk full"), False),
        (PermissionError(errno.EACCES, "no"), False),
        (FileNotFoundError(), False),
        (ValueError("damaged"), False),
        (MemoryError(), True),
    ],
)
def test_the_kind_of_a_fault_decides(error: Exception, passes: bool) -> None:
    assert is_transient(error) is passes
    with pytest.raises(StorageError) as caught, storage_errors("/x"):
        raise error
    assert isinstance(caught.value, TransientError) is passes
    assert caught.value.kind == "source"
