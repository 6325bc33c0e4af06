"""Which identity gets which expression, decided before any pixel is made.

For each identity a plan is a candidate order: all pairs of one of the identity's faces and a driver, in a fixed order.
A job takes the first K pairs, and the next pairs instead of those that are rejected. The order takes turns over the
groups of drivers (expression labels, or clusters of expressions), so any first K pairs cover the groups evenly. Within
a group the drivers lie on circles, each at a position that follows from its id alone. An identity goes along one of
these circles, from a position that follows from its name. A driver comes with the source that the hash of both chooses.

A plan is a function of the faces, the settings and the seed. The order of the faces and the number of workers do not
change it, and asking for more pairs does not change the first ones. A new face changes the pairs that it takes part in,
and those that it takes the rank of; all others stay.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

from mien.model.configuration.bounds import Count, check_bounds
from mien.model.driver_circles import Circles, Entered
from mien.model.pair_hashes import id_hashes, mixed, name_hash


@dataclass(frozen=True)
class Labels:
    """A label for each face, as a number."""

    names: list[str]
    """Sorted, each once."""
    numbers: Int[np.ndarray, " faces"]
    """Index of each face's label in the names."""

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
class PlanningSettings:
    """What a plan tries to vary."""

    max_sources: Count = 64
    """Faces of one identity that take turns as the source, at most."""
    clusters: Count = 8
    """Groups of expressions that a plan covers evenly, where no driver has a label."""

    def __post_init__(self) -> None:
        check_bounds(self)


@dataclass(frozen=True)
class PlanRules:
    """What decides the candidate orders, besides the faces."""

    seed: int = 0
    max_pose_difference: float | None = None
    """In degrees, of yaw, pitch and roll each, between source and driver; None allows any."""
    same_identity: bool = False
    """Whether a person may get their own expressions."""
    planning: PlanningSettings = field(default_factory=PlanningSettings)


@dataclass(frozen=True)
class PlannedPair:
    """A transfer to make: the face of one, the expression of another."""

    pair_id: str
    identity_face_id: str
    expression_face_id: str
    seed: int


@dataclass(frozen=True)
class CandidateSlice:
    """A slice of an identity's candidate order, pair by pair."""

    identity: str
    sources: Int[np.ndarray, " pairs"]
    """Rows of the identities' faces."""
    drivers: Int[np.ndarray, " pairs"]
    """Rows of the drivers."""
    first_rank: int
    """Rank of the first pair in the candidate order, from 0."""


def planned_pair(identity_face_id: str, expression_face_id: str, seed: int) -> PlannedPair:
    """A pair whose id and seed follow from the two faces and the plan's seed."""
    digest = hashlib.sha256(f"{seed}\n{identity_face_id}\n{expression_face_id}".encode()).digest()
    return PlannedPair(digest.hex()[:32], identity_face_id, expression_face_id, int.from_bytes(digest[:4], "big"))


class Planner:
    """Makes slices of candidate orders. Holds a few numbers for each face, and no pair."""

    def __init__(self, sources: PlanFaces, drivers: PlanFaces, rules: PlanRules) -> None:
        self.sources, self.drivers, self.rules = sources, drivers, rules
        self._rows_of = dict(zip(sources.identities.names, sources.identities.rows_by(), strict=True))
        self._own = _own_drivers(sources, drivers)
        self._driver_identity = drivers.identities.numbers
        self._faces_of_driver = np.bincount(self._driver_identity, minlength=len(drivers.identities.names))
        self._source_hashes = id_hashes(sources.face_ids, rules.seed)
        self._driver_hashes = id_hashes(drivers.face_ids, rules.seed)
        self._circles = Circles(self._driver_hashes, drivers.groups.names, drivers.groups.rows_by(), rules.seed)

    @property
    def identities(self) -> list[str]:
        """Names of the identities, sorted."""
        return self.sources.identities.names

    @property
    def groups(self) -> list[str]:
        """Names of the groups of drivers, sorted."""
        return self.drivers.groups.names

    def take(self, identity: str, first_rank: int, count: int) -> CandidateSlice:
        """`count` pairs of an identity's candidate order, from `first_rank` on; fewer where the order ends."""
        end, key = first_rank + count, name_hash(f"identity {identity}", self.rules.seed)
        rows, max_sources = self._rows_of[identity], self.rules.planning.max_sources
        sources = rows[np.argsort(self._source_hashes[rows], kind="stable")][:max_sources]
        turns = self._circles.turns(key)
        share = -(-end // max(1, len(turns)))
        groups = [self._of_group(identity, sources, self._circles.enter(group, key), share) for group in turns]
        if sum(len(pairs) for pairs in groups) < end:  # a group ran out: the others give more
            groups = [self._of_group(identity, sources, self._circles.enter(group, key), end) for group in turns]
        pairs = _in_turns(groups)[first_rank:end]
        return CandidateSlice(identity, pairs[:, 0], pairs[:, 1], first_rank)

    def _of_group(
        self, identity: str, sources: Int[np.ndarray, " n"], entered: Entered, count: int
    ) -> Int[np.ndarray, "pairs 2"]:
        """The first `count` pairs (source, driver) of an identity with the drivers of a group, or all there are.

        Each driver comes once before any comes again, then with another source, so each pair comes once.
        """
        own = self._own.get(identity, np.zeros(0, np.int64))
        parts: list[Int[np.ndarray, "pairs 2"]] = [np.zeros((0, 2), np.int64)]
        rounds, found = 0, 0
        while found < count and rounds < len(sources):
            part = self._round(sources, entered, own, rounds, count - found)
            parts.append(part)
            rounds, found = rounds + 1, found + len(part)
        return np.concatenate(parts)

    def _round(
        self, sources: Int[np.ndarray, " n"], entered: Entered, own: Int[np.ndarray, " k"], number: int, count: int
    ) -> Int[np.ndarray, "pairs 2"]:
        """Each driver with the `number`-th of its sources; in blocks, to end after `count` pairs."""
        parts: list[Int[np.ndarray, "pairs 2"]] = [np.zeros((0, 2), np.int64)]
        # Without a limit of poses one block is enough: there may be a million drivers.
        limited = self.rules.max_pose_difference is not None
        block = 4 * count + 16 if limited else count + int(self._faces_of_driver[own].sum())
        position, found = 0, 0
        while position < len(entered.order) and found < count:
            drivers = self._strangers(entered.take(position, block), own)
            part = self._with_sources(sources, drivers, number)
            parts.append(part)
            position, found = position + block, found + len(part)
        return np.concatenate(parts)[:count]

    def _strangers(self, drivers: Int[np.ndarray, " n"], own: Int[np.ndarray, " k"]) -> Int[np.ndarray, " m"]:
        """The drivers of other identities than `own`."""
        return drivers if self.rules.same_identity else drivers[~np.isin(self._driver_identity[drivers], own)]

    def _with_sources(
        self, sources: Int[np.ndarray, " n"], drivers: Int[np.ndarray, " m"], number: int
    ) -> Int[np.ndarray, "pairs 2"]:
        """Each driver with the `number`-th of the sources that fit it, by the hash of both; without those that have no
        such source."""
        ranks = mixed(self._driver_hashes[drivers][:, None] ^ mixed(self._source_hashes[sources])[None])
        order = np.argsort(ranks, axis=1, kind="stable")
        if self.rules.max_pose_difference is None:
            return np.column_stack([sources[order[:, number]], drivers])
        fits = np.take_along_axis(self._posed_alike(sources, drivers), order, axis=1)
        good = fits.sum(1) > number
        # The first position by which so many have fitted, and one more.
        chosen = np.minimum((np.cumsum(fits, axis=1) <= number).sum(1), len(sources) - 1)
        source = sources[order[np.arange(len(drivers)), chosen]]
        return np.column_stack([source, drivers])[good]

    def _posed_alike(self, sources: Int[np.ndarray, " n"], drivers: Int[np.ndarray, " m"]) -> Bool[np.ndarray, "m n"]:
        apart = np.abs(self.drivers.poses[drivers][:, None] - self.sources.poses[sources][None])
        return np.asarray((np.nan_to_num(apart) <= self.rules.max_pose_difference).all(-1))

    def group_counts(self, candidates: CandidateSlice) -> Int[np.ndarray, " groups"]:
        """Number of pairs of each of `groups`."""
        return np.bincount(self.drivers.groups.numbers[candidates.drivers], minlength=len(self.groups))

    def pairs(self, candidates: CandidateSlice) -> Iterator[PlannedPair]:
        """The pairs with their ids."""
        sources, drivers = self.sources.face_ids[candidates.sources], self.drivers.face_ids[candidates.drivers]
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


def _own_drivers(sources: PlanFaces, drivers: PlanFaces) -> dict[str, Int[np.ndarray, " k"]]:
    """Which identities of the drivers each identity of the sources is: that of its name, and those that have one of its
    faces. Two sets may hold one photo under two names."""
    numbers = {name: number for number, name in enumerate(drivers.identities.names)}
    own = {name: {numbers[name]} for name in sources.identities.names if name in numbers}
    _, source_rows, driver_rows = np.intersect1d(sources.face_ids, drivers.face_ids, return_indices=True)
    shared = np.column_stack([sources.identities.numbers[source_rows], drivers.identities.numbers[driver_rows]])
    for source, driver in np.unique(shared, axis=0).tolist():
        own.setdefault(sources.identities.names[source], set()).add(driver)
    return {name: np.array(sorted(found), np.int64) for name, found in own.items()}


def normalised_entropy(counts: Int[np.ndarray, " groups"]) -> float:
    """−Σ p·log p / log n of the shares of n groups: 1 where all come alike, 0 where only one comes.

    1 for a single group: it cannot be covered more evenly.
    """
    if len(counts) < 2 or not counts.sum():
        return 1.0
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum() / np.log(len(counts)))


def _in_turns(groups: Sequence[Int[np.ndarray, "_ 2"]]) -> Int[np.ndarray, "pairs 2"]:
    """One pair of each group, then the next of each, until all are empty."""
    if not groups:
        return np.zeros((0, 2), np.int64)
    rounds = np.concatenate([np.arange(len(pairs)) for pairs in groups])
    turns = np.concatenate([np.full(len(pairs), number) for number, pairs in enumerate(groups)])
    return np.concatenate(groups)[np.lexsort((turns, rounds))]
