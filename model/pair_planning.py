"""Which identity gets which expression, decided before any pixel is made.

A plan is an endless deck for each identity: pairs of one of its faces and a driver, in a fixed order, of which a job
takes the first K, and the next ones in place of those that are rejected. The deck deals in turns from the groups of
drivers (expression labels, or clusters of expressions), so that any first K cover the groups evenly; within a group
the drivers come in one seeded order, in which each identity starts elsewhere, so that all drivers are used alike.

It is a function of the faces, the settings and the seed: neither the order of the faces nor the number of workers
plays in, and asking for more pairs does not change the first ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

MOST_SOURCES = 64
"""Faces of one identity that take turns as the source."""


@dataclass(frozen=True)
class Labels:
    """A label for each face, as a number."""

    names: list[str]
    """Sorted, each once."""
    numbers: Int[np.ndarray, " faces"]
    """Place of each face's label among the names."""

    @staticmethod
    def of(labels: Sequence[str]) -> Labels:
        """From a label for each face."""
        names = sorted(set(labels))
        numbers = {name: number for number, name in enumerate(names)}
        return Labels(names, np.fromiter((numbers[label] for label in labels), np.int64, len(labels)))

    def take(self, rows: Int[np.ndarray, " n"]) -> Labels:
        """Those of some faces, without the names that none of them has."""
        used, numbers = np.unique(self.numbers[rows], return_inverse=True)
        return Labels([self.names[number] for number in used], numbers)

    def rows_by(self) -> list[Int[np.ndarray, " rows"]]:
        """The faces of each name, in their order."""
        if not self.names:
            return []
        order = np.argsort(self.numbers, kind="stable")
        return np.split(order, np.cumsum(np.bincount(self.numbers, minlength=len(self.names)))[:-1])


@dataclass(frozen=True)
class PlanFaces:
    """What planning knows of the faces of a set, column by column; sorted by face id, each face once.

    Arrays and numbers rather than strings of Python: there may be a million faces.
    """

    face_ids: np.ndarray
    """UTF-8 bytes."""
    identities: Labels
    """The label of each face; its image where it has none, so that each unlabelled image counts as a person."""
    groups: Labels
    """Of drivers: the expression label, or the cluster of the expression."""
    poses: Float[np.ndarray, "faces 3"]
    """Yaw, pitch and roll in degrees; NaN where they are not known, which fits any other."""

    def __len__(self) -> int:
        return len(self.face_ids)


@dataclass(frozen=True)
class PlanRules:
    """What decides the decks, besides the faces."""

    seed: int = 0
    most_pose_difference: float | None = None
    """In degrees, of yaw, pitch and roll each, between source and driver; None allows any."""
    same_identity: bool = False
    """Whether a person may get their own expressions."""


@dataclass(frozen=True)
class PlannedPair:
    """A transfer to make: the face of one, the expression of another."""

    pair_id: str
    identity_face_id: str
    expression_face_id: str
    seed: int


@dataclass(frozen=True)
class Dealt:
    """A stretch of an identity's deck, pair by pair."""

    identity: str
    sources: Int[np.ndarray, " pairs"]
    """Rows of the identities' faces."""
    drivers: Int[np.ndarray, " pairs"]
    """Rows of the drivers."""
    first_rank: int
    """Place of the first pair in the deck."""


def planned_pair(identity_face_id: str, expression_face_id: str, seed: int) -> PlannedPair:
    """A pair whose id and seed follow from the two faces and the plan's seed."""
    digest = hashlib.sha256(f"{seed}\n{identity_face_id}\n{expression_face_id}".encode()).digest()
    return PlannedPair(digest.hex()[:32], identity_face_id, expression_face_id, int.from_bytes(digest[:4], "big"))


class Planner:
    """Deals pairs. Holds a few numbers for each face, and no pair."""

    def __init__(self, sources: PlanFaces, drivers: PlanFaces, rules: PlanRules) -> None:
        self.sources, self.drivers, self.rules = sources, drivers, rules
        self._rows_of = dict(zip(sources.identities.names, sources.identities.rows_by(), strict=True))
        self._number_of = {name: number for number, name in enumerate(drivers.identities.names)}
        self._driver_identity = drivers.identities.numbers
        self._faces_of_driver = np.bincount(self._driver_identity, minlength=len(drivers.identities.names))
        random = np.random.default_rng([rules.seed, 0])
        self._orders = [random.permutation(rows) for rows in drivers.groups.rows_by()]

    @property
    def identities(self) -> list[str]:
        """Names of the identities, sorted."""
        return self.sources.identities.names

    @property
    def groups(self) -> list[str]:
        """Names of the groups of drivers, sorted."""
        return self.drivers.groups.names

    def deal(self, identity: str, first_rank: int, count: int) -> Dealt:
        """The pairs of an identity's deck from a rank on; fewer where the deck ends."""
        end = first_rank + count
        random = np.random.default_rng([self.rules.seed, *hashlib.sha256(identity.encode()).digest()])
        sources = random.permutation(self._rows_of[identity])[:MOST_SOURCES]
        turns = random.permutation(len(self._orders))
        starts = random.integers(2**62, size=len(self._orders))
        share = -(-end // max(1, len(self._orders)))
        hands = [self._hand(identity, sources, int(number), int(starts[number]), share) for number in turns]
        if sum(len(hand) for hand in hands) < end:  # a group ran out: the others give more
            hands = [self._hand(identity, sources, int(number), int(starts[number]), end) for number in turns]
        pairs = _in_turns(hands)[first_rank:end]
        return Dealt(identity, pairs[:, 0], pairs[:, 1], first_rank)

    def _hand(
        self, identity: str, sources: Int[np.ndarray, " n"], group: int, start: int, most: int
    ) -> Int[np.ndarray, "pairs 2"]:
        """The first pairs (source, driver) of an identity with the drivers of a group.

        Each driver once before any comes again, then with another source, so that a pair comes once.
        """
        order, own = self._orders[group], self._number_of.get(identity, -1)
        if self.rules.most_pose_difference is None:
            # A stretch of the circle that is long enough, not all of it: there may be a million drivers.
            stretch = min(len(order), most + (0 if own < 0 else int(self._faces_of_driver[own])))
            return _unhindered(sources, self._others(order, start, stretch, own), most)
        parts: list[Int[np.ndarray, "pairs 2"]] = []
        rounds, found = 0, 0
        while found < most and rounds < len(sources):
            part = self._round(sources, group, start, own, rounds, most - found)
            parts.append(part)
            rounds, found = rounds + 1, found + len(part)
        return np.concatenate([np.zeros((0, 2), np.int64), *parts])

    def _others(self, order: Int[np.ndarray, " n"], start: int, count: int, own: int) -> Int[np.ndarray, " m"]:
        """Of the `count` drivers from a place of the circle on, those who are somebody else."""
        drivers = order[(start + np.arange(count)) % len(order)]
        return drivers if self.rules.same_identity else drivers[self._driver_identity[drivers] != own]

    def _round(
        self, sources: Int[np.ndarray, " n"], group: int, start: int, own: int, number: int, most: int
    ) -> Int[np.ndarray, "pairs 2"]:
        """Each driver with the next of the sources that are posed alike; in blocks, to end early."""
        order = self._orders[group]
        parts: list[Int[np.ndarray, "pairs 2"]] = []
        block, place, found = 4 * most + 16, 0, 0
        while place < len(order) and found < most:
            chosen = self._others(order, (start + place) % len(order), min(block, len(order) - place), own)
            fits = self._posed_alike(sources, chosen)
            counts = fits.sum(1)
            # Of a driver's fitting sources the next one each round, from one that differs between drivers.
            wanted = (chosen + number) % np.maximum(counts, 1)
            source = (np.cumsum(fits, axis=1) <= wanted[:, None]).sum(1)
            good = counts > number
            parts.append(np.column_stack([sources[np.minimum(source, len(sources) - 1)], chosen])[good])
            place, found = place + block, found + int(good.sum())
        return np.concatenate([np.zeros((0, 2), np.int64), *parts])[:most]

    def _posed_alike(self, sources: Int[np.ndarray, " n"], drivers: Int[np.ndarray, " m"]) -> Bool[np.ndarray, "m n"]:
        apart = np.abs(self.drivers.poses[drivers][:, None] - self.sources.poses[sources][None])
        return np.asarray((np.nan_to_num(apart) <= self.rules.most_pose_difference).all(-1))

    def group_counts(self, dealt: Dealt) -> Int[np.ndarray, " groups"]:
        """Pairs of each of `groups`."""
        return np.bincount(self.drivers.groups.numbers[dealt.drivers], minlength=len(self.groups))

    def pairs(self, dealt: Dealt) -> Iterator[PlannedPair]:
        """The pairs with their ids."""
        sources, drivers = self.sources.face_ids[dealt.sources], self.drivers.face_ids[dealt.drivers]
        for source, driver in zip(sources.tolist(), drivers.tolist(), strict=True):
            yield planned_pair(source.decode(), driver.decode(), self.rules.seed)


def plan_faces(
    face_ids: np.ndarray,
    identities: Sequence[str],
    groups: Sequence[str],
    poses: Float[np.ndarray, "faces 3"],
) -> PlanFaces:
    """From the columns of a set (face ids as UTF-8 bytes), in any order; a face that comes again is left out."""
    unique, rows = np.unique(face_ids, return_index=True)
    return PlanFaces(unique, Labels.of(identities).take(rows), Labels.of(groups).take(rows), poses[rows])


def normalised_entropy(counts: Int[np.ndarray, " groups"]) -> float:
    """−Σ p·log p / log n of the shares of n groups: 1 where all come alike, 0 where only one comes.

    1 for a single group: it cannot be covered more evenly.
    """
    if len(counts) < 2 or not counts.sum():
        return 1.0
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum() / np.log(len(counts)))


def _unhindered(
    sources: Int[np.ndarray, " n"], drivers: Int[np.ndarray, " m"], most: int
) -> Int[np.ndarray, "pairs 2"]:
    """The first pairs where every source fits every driver."""
    count = min(most, len(sources) * len(drivers))
    if not count:
        return np.zeros((0, 2), np.int64)
    rounds, place = np.divmod(np.arange(count), len(drivers))
    # Sources move on with the drivers, and by one more each round: every pair comes up exactly once.
    return np.column_stack([sources[(place + rounds) % len(sources)], drivers[place]])


def _in_turns(hands: Sequence[Int[np.ndarray, "_ 2"]]) -> Int[np.ndarray, "pairs 2"]:
    """One of each hand, then the next of each, until all are empty."""
    if not hands:
        return np.zeros((0, 2), np.int64)
    rounds = np.concatenate([np.arange(len(hand)) for hand in hands])
    turns = np.concatenate([np.full(len(hand), number) for number, hand in enumerate(hands)])
    return np.concatenate(hands)[np.lexsort((turns, rounds))]
