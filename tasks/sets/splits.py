"""Who is trained on and who is held out: a function of the identity, so that it stays as data is added.

A hash of the name decides. Of few people it may hold out nobody: with 14 the chance that none is in val is 23%, at a
tenth. Then those whose hashes are nearest are chosen besides, at least one for each split, and stay there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

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


def settings_of_splits(about: Mapping[str, Any]) -> SplitSettings:
    """The settings that the faces of a table are split by, from what its manifest says.

    Until 0.2 they were among the settings of detection.
    """
    return SplitSettings(**(about.get("splits") or about["settings"]["splits"]))


def split_hash(identity: str, settings: SplitSettings) -> str:
    """Of an identity: 16 hexadecimal digits."""
    return hashlib.sha256(f"{settings.salt}\n{identity}".encode()).hexdigest()[:16]


def split_of(identity: str, settings: SplitSettings, besides: Mapping[str, Split] | None = None) -> Split:
    """Split of an identity: its hash as a number in [0, 1) against the fractions.

    Args:
        identity: Name of the person.
        settings: Fractions and salt.
        besides: What `chosen_besides` found.
    """
    hashed = split_hash(identity, settings)
    if besides and hashed in besides:
        return besides[hashed]
    share = int(hashed, 16) / 2**64
    if share < settings.val_fraction:
        return "val"
    return "test" if share < settings.val_fraction + settings.test_fraction else "train"


def chosen_besides(photos: Mapping[str, int], settings: SplitSettings, former: Mapping[str, Split]) -> dict[str, Split]:
    """Who is in another split than the hash says, by `split_hash`: so that each split that is asked for has somebody.

    Only people with two photos count, since a pair needs two. Each comes from the split that has most of them, and is
    the one whose hash is nearest. Who was chosen before stays where he or she is as people are added, also when the
    hash alone would fill the splits by then.

    Args:
        photos: Usable ones of each person.
        settings: Fractions and salt.
        former: What was chosen for the set before.
    """
    counted = sorted((split_hash(name, settings), name) for name, count in photos.items() if count >= 2)
    there = {split_hash(name, settings) for name in photos}
    found: dict[str, Split] = {hashed: split for hashed, split in former.items() if hashed in there}
    for split in _asked(settings):
        members: dict[Split, list[str]] = {"train": [], "val": [], "test": []}
        for hashed, name in counted:
            members[split_of(name, settings, found)].append(hashed)
        giver = max(members.values(), key=len)
        if not members[split] and len(giver) > 1:
            found[giver[-1] if split == "train" else giver[0]] = split
    return found


def _asked(settings: SplitSettings) -> Iterator[Split]:
    """The splits that somebody should be in."""
    shares: dict[Split, float] = {
        "train": 1 - settings.val_fraction - settings.test_fraction,
        "val": settings.val_fraction,
        "test": settings.test_fraction,
    }
    return (split for split, share in shares.items() if share > 1e-9)
