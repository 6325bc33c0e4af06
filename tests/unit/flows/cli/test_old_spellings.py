"""Options under their former names."""

from __future__ import annotations

import pytest

from mien.flows.cli.old_spellings import OLD_SPELLINGS, with_new_spellings


@pytest.mark.parametrize(("old", "new"), OLD_SPELLINGS.items())
def test_an_old_spelling_is_replaced_with_a_note(old: str, new: str) -> None:
    for given, expected in (
        (["command", old, "x"], ["command", new, "x"]),
        (["command", f"{old}=x=y"], ["command", f"{new}=x=y"]),
    ):
        arguments, note = with_new_spellings(given)
        assert arguments == expected
        assert note.count("\n") == 0
        assert f"{old} is called {new} now" in note


def test_a_repeated_option_is_noted_once() -> None:
    arguments, note = with_new_spellings(["train", "--data", "a", "--data", "b"])
    assert arguments == ["train", "--set", "a", "--set", "b"]
    assert note.count("--data") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["prepare", "--set", "x", "--max-failed", "0.5"],
        ["prepare", "--", "--name"],
        ["prepare", "--names", "x", "data", "--name-of-none=1"],
    ],
)
def test_everything_else_stays_without_a_note(arguments: list[str]) -> None:
    assert with_new_spellings(arguments) == (arguments, "")
