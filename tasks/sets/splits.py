"""Who is trained on and who is held out: a function of the identity alone, so that it stays as data is added."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "val", "test"]


@dataclass(frozen=True)
class SplitSettings:
    """Shares of the identities that are held out.

    `val` chooses between generators, `test` is looked at last.
    """

    val_fraction: float = 0.1
    test_fraction: float = 0.1
    salt: str = ""
    """Another salt, another draw. Keep one for the life of a data set."""


def split_of(identity: str, settings: SplitSettings) -> Split:
    """Split of an identity: its hash as a number in [0, 1) against the fractions."""
    digest = hashlib.sha256(f"{settings.salt}\n{identity}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    if share < settings.val_fraction:
        return "val"
    return "test" if share < settings.val_fraction + settings.test_fraction else "train"
