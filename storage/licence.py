"""Terms of photos: the known ones under their SPDX names, with what they say of commercial use."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_CREATIVE = re.compile(r"cc[ -]?(by(?:[ -](?:nc|nd|sa))*)(?:[ -]?v?(\d\.\d))?(?:[ -](?:intl|international|unported))?")
_CC0 = re.compile(r"cc[ -]?0(?:[ -]?(?:v?1\.0|universal))*|creative commons zero")
_PARTS = ("by", "nc", "nd", "sa")
_OTHERS = {
    "mit": ("MIT", True),
    "apache-2.0": ("Apache-2.0", True),
    "odc-by-1.0": ("ODC-By-1.0", True),
    "public domain": ("public domain", True),
}


@dataclass(frozen=True)
class Licence:
    """The terms of a photo."""

    name: str
    """SPDX's where it is known, else as the source gives it."""
    commercial: bool | None = None
    """Whether commercial use is allowed; None where the terms are not known here."""


def parse_licence(text: str) -> Licence:
    """The terms that a label says: `CC BY-NC 4.0` becomes `CC-BY-NC-4.0`. Unknown terms keep their text."""
    plain = re.sub(r"[\s_]+", " ", text.strip().lower()).removesuffix(" license").removesuffix(" licence")
    plain = plain.replace("creative commons attribution", "cc by").replace("noncommercial", "nc")
    if plain in _OTHERS:
        return Licence(*_OTHERS[plain])
    if _CC0.fullmatch(plain):
        return Licence("CC0-1.0", commercial=True)
    if (found := _CREATIVE.fullmatch(plain)) is not None:
        given = re.split("[ -]", found[1])
        name = "-".join(["CC", *(part.upper() for part in _PARTS if part in given)])
        return Licence(f"{name}-{found[2]}" if found[2] else name, commercial="nc" not in given)
    return Licence(text.strip())


def together(licences: Iterable[str | None]) -> str | None:
    """The terms of several photos as one text: each once, in their order, and whether some have none; None where none
    has any."""
    each = dict.fromkeys(licences)
    return "; ".join(name or "not stated" for name in each) if any(each) else None
