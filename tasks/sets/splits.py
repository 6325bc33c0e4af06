"""Who is trained on and who is held out: a function of the identity, so that it stays as data is added.

A hash of the name decides. Of few people it may hold out nobody: with 14 the chance that none is in val is 23%, at a
tenth. Then those whose hashes are next are held out besides, at least one of each split, and stay so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "val", "test"]
HeldOut = Literal["val", "test"]


@dataclass(frozen=True)
class SplitSettings:
    """Shares of the identities that are held out.

    `val` chooses between generators, `test` is looked at last.
    """

    val_fraction: float = 0.1
    test_fraction: float = 0.1
    salt: str = ""
    """Another salt, another draw. Keep one for the life of a data set."""


def split_hash(identity: str, settings: SplitSettings) -> str:
    """Of an identity: 16 hexadecimal digits."""
    return hashlib.sha256(f"{settings.salt}\n{identity}".encode()).hexdigest()[:16]


def split_of(identity: str, settings: SplitSettings, besides: Mapping[str, HeldOut] | None = None) -> Split:
    """Split of an identity: its hash as a number in [0, 1) against the fractions.

    Args:
        identity: Name of the person.
        settings: Fractions and salt.
        besides: What `held_out_besides` found.
    """
    hashed = split_hash(identity, settings)
    if besides and hashed in besides:
        return besides[hashed]
    share = int(hashed, 16) / 2**64
    if share < settings.val_fraction:
        return "val"
    return "test" if share < settings.val_fraction + settings.test_fraction else "train"


def held_out_besides(
    photos: Mapping[str, int], settings: SplitSettings, former: Mapping[str, HeldOut]
) -> dict[str, HeldOut]:
    """Who is held out though the hash says train, by `split_hash`: at least one person in each split that is asked for.

    Only people with two photos count, since a pair needs two, and one of them is left to train on. Who was held out
    before stays so as people are added, also when the hash holds out others by then.

    Args:
        photos: Usable ones of each person.
        settings: Fractions and salt.
        former: What was found for the set before.
    """
    counted = sorted((split_hash(name, settings), name) for name, count in photos.items() if count >= 2)
    there = {split_hash(name, settings) for name in photos}
    found: dict[str, HeldOut] = {hashed: split for hashed, split in former.items() if hashed in there}
    fractions: dict[HeldOut, float] = {"val": settings.val_fraction, "test": settings.test_fraction}
    for split, fraction in fractions.items():
        splits = {hashed: split_of(name, settings, found) for hashed, name in counted}
        left = [hashed for hashed, of in splits.items() if of == "train"]
        if fraction > 0 and split not in splits.values() and len(left) > 1:
            found[left[0]] = split
    return found
