"""Which identity gets which expression, decided before any pixel is made.

The plan is a function of the faces, the settings and the seed: neither their order nor the number of workers plays in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, order=True)
class PlanFace:
    """What planning knows of a face."""

    face_id: str
    identity: str
    """The face's label; its image where it has none, so that each unlabelled image counts as a person."""


@dataclass(frozen=True)
class PlannedPair:
    """A transfer to make: the face of one, the expression of another."""

    pair_id: str
    identity_face_id: str
    expression_face_id: str
    seed: int


def planned_pair(identity_face_id: str, expression_face_id: str, seed: int) -> PlannedPair:
    """A pair whose id and seed follow from the two faces and the plan's seed."""
    digest = hashlib.sha256(f"{seed}\n{identity_face_id}\n{expression_face_id}".encode()).digest()
    return PlannedPair(digest.hex()[:32], identity_face_id, expression_face_id, int.from_bytes(digest[:4], "big"))


def plan_pairs(
    identities: Sequence[PlanFace], expressions: Sequence[PlanFace], per_identity: int, seed: int
) -> list[PlannedPair]:
    """`per_identity` pairs for each identity, in the order of the identities' names.

    An identity's source faces take turns; its drivers are drawn from the faces of other identities, each used once
    before any is used again. A pair comes at most once, so an identity gets fewer where there are not enough pairs.
    """
    by_identity: dict[str, list[PlanFace]] = {}
    for face in sorted(set(identities)):
        by_identity.setdefault(face.identity, []).append(face)
    drivers = sorted(set(expressions))
    return [
        planned_pair(source.face_id, driver.face_id, seed)
        for identity, sources in by_identity.items()
        for source, driver in _draw(identity, sources, drivers, per_identity, seed)
    ]


def _draw(
    identity: str, sources: list[PlanFace], drivers: list[PlanFace], count: int, seed: int
) -> Iterator[tuple[PlanFace, PlanFace]]:
    others = [driver for driver in drivers if driver.identity != identity]
    random = np.random.default_rng([seed, *hashlib.sha256(identity.encode()).digest()])
    sources = [sources[i] for i in random.permutation(len(sources))]
    others = [others[i] for i in random.permutation(len(others))]
    for n in range(min(count, len(sources) * len(others))):
        rounds, place = divmod(n, len(others))
        # Sources move on with the drivers, and by one more each round: every pair comes up exactly once.
        yield sources[(place + rounds) % len(sources)], others[place]
