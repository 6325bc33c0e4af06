"""What its source did not answer for is asked for again; what is damaged is not."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from mien.model.errors import DecoderError, DetectorError, ImageError
from mien.storage import ContentError, MissingError, OutsideError, StorageError, TransientError
from mien.tasks.errors import failure_kind
from mien.tasks.runtime.second_look import MAX_AGAIN, ask_each, outcome_of


def _failed(_: str, error: Exception) -> dict[str, Any]:
    return outcome_of(error)


def _asked(faults: dict[str, list[Exception]]) -> tuple[list[str], list[list[dict[str, Any]]]]:
    """What was asked for, and the answers: a and b, with these faults first."""
    asked: list[str] = []

    def ask(item: str) -> list[dict[str, Any]]:
        asked.append(item)
        if left := faults.get(item):
            raise left.pop(0)
        return [{"status": "ok", "item": item}]

    return asked, ask_each(["a", "b"], ask, _failed, uuid4().hex)


@pytest.mark.parametrize(
    "fault", [MissingError("unmounted"), StorageError("refused"), DecoderError("codec"), MemoryError()]
)
def test_what_passes_is_asked_for_again_and_nothing_else(fault: Exception) -> None:
    asked, answers = _asked({"a": [fault]})
    assert asked == ["a", "b", "a"]
    assert [rows[0]["status"] for rows in answers] == ["ok", "ok"]


@pytest.mark.parametrize("fault", [ContentError("too large"), ImageError("damaged"), OutsideError("elsewhere")])
def test_what_is_a_property_of_the_bytes_is_asked_for_once(fault: Exception) -> None:
    asked, answers = _asked({"a": [fault]})
    assert asked == ["a", "b"]
    assert answers[0][0]["status"] == ("rejected" if isinstance(fault, OutsideError) else "failed")
    assert answers[0][0].get("failure") == (None if isinstance(fault, OutsideError) else "content")


def test_what_stays_away_is_told_in_its_row() -> None:
    asked, answers = _asked({"a": [MissingError("a is away")] * 99})
    assert asked.count("a") == MAX_AGAIN + 1
    assert answers[0] == [{"status": "failed", "reason": "a is away", "failure": "source"}]
    assert answers[1] == [{"status": "ok", "item": "b"}]


def test_a_server_that_was_asked_often_enough_is_not_asked_again() -> None:
    fault = TransientError("503")
    fault.is_exhausted = True
    asked, answers = _asked({"a": [fault]})
    assert asked == ["a", "b"]
    assert answers[0][0]["failure"] == "source"


def test_a_fault_of_the_run_is_none_of_an_item() -> None:
    with pytest.raises(DetectorError):
        _asked({"a": [DetectorError("no weights")]})


def _caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ImageError("damaged"), "content"),
        (ContentError("cut off"), "content"),
        (DecoderError("HEIC"), "source"),
        (MissingError("gone"), "source"),
        (StorageError("expired credentials"), "source"),
        (MemoryError(), "source"),
        (_caused(ImageError("a damaged picture"), OSError("image file is truncated")), "content"),
        (_caused(ImageError("the detector failed on it"), TimeoutError()), "source"),
        (_caused(ContentError("damaged"), MemoryError()), "source"),
    ],
)
def test_only_a_property_of_the_bytes_is_content(error: Exception, kind: str) -> None:
    assert failure_kind(error) == kind
