"""Who a generator was trained on, as it is kept with its weights: enough to recognise a person, not to list them.

    {"salt": "…", "people": "base64 of 6 bytes each", "photos": "base64 of 6 bytes each", "before": [{…}]}

A person is recognised by the name in a set of this name, or by a photo. Both are hashed with the salt of the training,
so that two generators cannot be compared, and nobody reads a name from them. Who suspects a person and has the name, or
the photo, can find out: that is what it is for. Of a person the 32 photos with the least hashes are kept. Whoever has
all photos of the person, in whatever set, has those too. `before` are the same of the generator that the training began
with, which knew its own people.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_BYTES = 6
"""Of a hash. With 10⁵ kept ones, one of 3·10⁹ others is taken for one of them by chance."""
PHOTOS_OF_A_PERSON = 32


@dataclass(frozen=True, order=True)
class Shown:
    """A photo of a person in a set."""

    set: str
    identity: str
    image_id: str
    """SHA-256 of its bytes."""


@dataclass(frozen=True)
class TrainedOn:
    """The people and photos that a generator was trained on."""

    salt: str
    people: frozenset[bytes]
    photos: frozenset[bytes]
    before: tuple[TrainedOn, ...] = ()
    """Of the generator that the training began with."""

    @staticmethod
    def of(shown: Iterable[Shown], salt: str) -> TrainedOn:
        """Of the photos of a training."""
        photos: dict[bytes, set[bytes]] = {}
        known: dict[tuple[str, str], set[bytes]] = {}  # by the name, so that it is hashed once
        for each in shown:
            if (own := known.get((each.set, each.identity))) is None:
                own = photos.setdefault(_hash(salt, each.set, each.identity), set())
                known[each.set, each.identity] = own
            own.add(_hash(salt, each.image_id))
            if len(own) > 4 * PHOTOS_OF_A_PERSON:  # of a video there may be a million
                own.intersection_update(sorted(own)[:PHOTOS_OF_A_PERSON])
        kept = (hashed for own in photos.values() for hashed in sorted(own)[:PHOTOS_OF_A_PERSON])
        return TrainedOn(salt, frozenset(photos), frozenset(kept))

    @staticmethod
    def read(provenance: Mapping[str, Any]) -> TrainedOn | None:
        """As a generator keeps it; None where it says nothing, or nothing that can be read."""
        try:
            return _read(provenance.get("trained_on"))
        except ValueError:
            return None

    def as_json(self) -> dict[str, Any]:
        """As the configuration of a generator keeps it."""
        own = {"salt": self.salt, "people": _packed(self.people), "photos": _packed(self.photos)}
        return {**own, "before": [each.as_json() for each in self.before]} if self.before else own

    def seen(self, shown: Iterable[Shown]) -> set[tuple[str, str]]:
        """Set and identity of those who were trained on: each person of whom the name or any photo was."""
        shown = list(shown)
        own = {
            (each.set, each.identity)
            for each in shown
            if _hash(self.salt, each.image_id) in self.photos
            or _hash(self.salt, each.set, each.identity) in self.people
        }
        return own.union(*(each.seen(shown) for each in self.before))


def _read(stored: Any) -> TrainedOn:
    match stored:
        case {"salt": str(salt), "people": str(people), "photos": str(photos)}:
            before = tuple(_read(each) for each in stored.get("before", []))
            return TrainedOn(salt, _unpacked(people), _unpacked(photos), before)
        case _:
            raise ValueError("not as it is kept")


def _hash(salt: str, *parts: str) -> bytes:
    return hashlib.sha256("\n".join([salt, *parts]).encode()).digest()[:_BYTES]


def _packed(hashes: Iterable[bytes]) -> str:
    return base64.b64encode(b"".join(sorted(hashes))).decode()


def _unpacked(text: str) -> frozenset[bytes]:
    data = base64.b64decode(text, validate=True)
    return frozenset(data[start : start + _BYTES] for start in range(0, len(data), _BYTES))
