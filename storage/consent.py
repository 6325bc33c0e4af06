"""Consent as a decision: given, denied, withdrawn or unknown, and on which day.

A list says it in many ways (`yes`, `True`, `signed 2026-01-01`, a date alone). Each is read into one of these four, and
what is none of them is refused: a mistyped consent must not pass for one. `images.consent` keeps the normalised text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

ConsentKind = Literal["given", "denied", "withdrawn", "unknown"]

ALLOWED = "yes/true/1/given/signed/granted, no/false/0/denied/refused, withdrawn/revoked, a day such as 2026-01-31"
"""What a list may say, for messages."""

_SPELLINGS: dict[ConsentKind, tuple[str, ...]] = {
    "given": ("given", "yes", "y", "true", "t", "1", "1.0", "signed", "granted", "consented"),
    "denied": ("denied", "no", "n", "false", "f", "0", "0.0", "refused", "declined", "not given"),
    "withdrawn": ("withdrawn", "revoked", "retracted"),
    "unknown": ("", "unknown", "nan", "null", "nat", "<na>"),
}
_WORDS: dict[str, ConsentKind] = {word: kind for kind, words in _SPELLINGS.items() for word in words}
_WITHOUT_DAY = frozenset(
    ["y", "n", "t", "f", "1", "0", "1.0", "0.0", "true", "false", "unknown", "nan", "null", "nat", "<na>"]
)
"""Words that no day may follow."""
_DAY = r"\d{4}-\d{2}-\d{2}"
_TIME = r"(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?: ?(?:Z|UTC|[+-]\d{2}:?\d{2}))?)?"
_TEXT = re.compile(rf"(?P<word>[a-z ]*?)[ ,:;]*(?:\bon )?\(?(?P<day>{_DAY}){_TIME}\)?", re.IGNORECASE)
_STRONGEST: tuple[ConsentKind, ...] = ("withdrawn", "denied", "unknown", "given")


@dataclass(frozen=True)
class Consent:
    """What the person of a photo has decided."""

    kind: ConsentKind = "unknown"
    on: date | None = None
    """The day, where it is known."""

    @property
    def text(self) -> str | None:
        """As `images.consent` keeps it: `given`, `given 2026-01-01`, `withdrawn 2026-02-03`; None where unknown."""
        if self.kind == "unknown":
            return None
        return self.kind if self.on is None else f"{self.kind} {self.on.isoformat()}"

    def refusal(self, whose: str) -> str | None:
        """Why this is no consent, of `whose` photo (`the source's`); None where it is given."""
        if self.kind == "given":
            return None
        if self.kind == "unknown":
            return f"{whose} photo came without consent"
        return f"{whose} consent was {self.kind}" + (f" on {self.on.isoformat()}" if self.on else "")


UNKNOWN = Consent()


class ConsentError(ValueError):
    """A text is no consent."""


def parse_consent(text: str | None, today: date | None = None) -> Consent:
    """The decision that a label says.

    Args:
        text: Of a list, a table or an archive; None where there is nothing.
        today: A consent of a later day is refused: nobody has given it yet. The present day if empty.

    Raises:
        ConsentError: it is none of the known words and days.
    """
    plain = " ".join(unicodedata.normalize("NFKC", text or "").split()).casefold()
    if (kind := _WORDS.get(plain)) is not None:
        return Consent(kind)
    found = _TEXT.fullmatch(plain)
    word = found["word"].strip() if found else ""
    if found is None or (word and (word not in _WORDS or word in _WITHOUT_DAY)):
        raise ConsentError(f"{text!r} is no consent")
    try:
        day = date.fromisoformat(found["day"])
    except ValueError as error:
        raise ConsentError(f"{text!r} is no consent: there is no such day") from error
    consent = Consent(_WORDS[word] if word else "given", day)
    # A day ahead of this clock may be today elsewhere.
    if consent.kind == "given" and day > (today or datetime.now(UTC).date()) + timedelta(days=1):
        raise ConsentError(f"{text!r} is no consent: the day has not come")
    return consent


def stored_consent(text: str | None) -> Consent:
    """The decision that a table keeps. What former versions stored as it came, and is no consent, is unknown."""
    try:
        return parse_consent(text)
    except ConsentError:
        return UNKNOWN


def strongest(consents: Iterable[Consent]) -> Consent:
    """What holds where rows on one photo differ: withdrawn before denied before unknown before given.

    Of withdrawals the earliest day counts, of consents the latest.
    """
    found = list(consents)
    if not found:
        return UNKNOWN
    kind: ConsentKind = next(kind for kind in _STRONGEST if any(consent.kind == kind for consent in found))
    days = [consent.on for consent in found if consent.kind == kind and consent.on is not None]
    if not days:
        return Consent(kind)
    return Consent(kind, max(days) if kind == "given" else min(days))
