"""Where text outside the columns of ids names a person: looked for, and taken out of JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mien.tasks.forget.subject import Subject, same_label

GONE = "(forgotten)"
"""What stands where a name was."""


_ID = re.compile(r"[0-9a-f]{32,}")
_MIN_NAME = 8
"""Characters of a photo's name that is looked for within other texts: `7`, a row's number, is in every text."""


class Mentions:
    """Finds a person in texts: by ids and names of photos anywhere, by the label where it stands as a word."""

    def __init__(self, subject: Subject) -> None:
        self._label = None if subject.label is None else subject.label.strip()
        self._ids = subject.ids
        parts = {part for name in subject.names for part in (name, name.rpartition("#")[2], name.rpartition("#")[0])}
        self._names = parts - {""}
        self._long = sorted((name for name in self._names if len(name) >= _MIN_NAME), key=len, reverse=True)
        self._word = None if not self._label else re.compile(rf"(?<!\w){re.escape(self._label)}(?!\w)")

    def in_text(self, text: str) -> bool:
        """Whether a text of any length names the person."""
        if self._word and self._word.search(text):
            return True
        return not self._ids.isdisjoint(_ID.findall(text)) or any(name in text for name in self._long)

    def in_json(self, value: Any) -> bool:
        """Whether a text in a JSON value names the person."""
        if isinstance(value, str):
            return value in self._ids or value in self._names or self.in_text(value)
        if isinstance(value, Mapping):
            return any(self.in_json(key) or self.in_json(inner) for key, inner in value.items())
        return isinstance(value, list) and any(self.in_json(inner) for inner in value)

    def without(self, value: Any) -> Any:
        """A JSON value without the person: entries of lists that name them go, other texts lose the name."""
        if isinstance(value, str):
            return self.scrubbed(value)
        if isinstance(value, Mapping):
            return {self.scrubbed(key): self.without(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.without(inner) for inner in value if not self.in_json(inner)]
        return value

    def scrubbed(self, text: str) -> str:
        """A text without the name, ids and names of photos."""
        if text in self._ids or text in self._names or (self._label and same_label(text, self._label)):
            return GONE
        for name in self._long:
            text = text.replace(name, GONE)
        text = _ID.sub(lambda found: GONE if found[0] in self._ids else found[0], text)
        return self._word.sub(GONE, text) if self._word else text


def renamed(value: Any, names: Mapping[str, str]) -> Any:
    """A JSON value in which fingerprints have their new names."""
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, Mapping):
        return {key: renamed(inner, names) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [renamed(inner, names) for inner in value]
    return value
