"""Options that had another name in the last release: still taken, with a note. To be emptied with the next release."""

from __future__ import annotations

from collections.abc import Sequence

OLD_SPELLINGS = {
    "--name": "--set",
    "--data": "--set",
    "--most": "--max-faces",
    "--most-pose-difference": "--max-pose-difference",
}
"""No command has an option of any of the old names any more."""


def with_new_spellings(arguments: Sequence[str]) -> tuple[list[str], str]:
    """The arguments with today's names, and a line on what was replaced; empty where nothing was.

    What follows a bare `--` is no option and stays as it is.
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    rewritten: list[str] = []
    replaced: dict[str, str] = {}
    for argument in arguments[:end]:
        option, equals, value = argument.partition("=")
        new = OLD_SPELLINGS.get(option)
        if new is not None:
            replaced[option] = new
        rewritten.append(argument if new is None else f"{new}{equals}{value}")
    note = ", ".join(f"{old} is called {new}" for old, new in replaced.items())
    return [*rewritten, *arguments[end:]], f"note: {note} now; the next release takes the new name only" if note else ""
