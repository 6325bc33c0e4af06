"""Which identity gets which expression, decided before any pixel is made.

For each identity a plan is a candidate order: all pairs of one of the identity's faces and a driver, in a fixed order.
A job takes the first K pairs, and the next pairs instead of those that are rejected. The order takes turns over the
groups of drivers (expression labels, or clusters of expressions), so any first K pairs cover the groups evenly. Within
a group the drivers lie on circles, each at a position that follows from its id alone. An identity goes along one of
these circles, from a position that follows from its name. A driver comes with one of the identity's photos that were
used least before (`model/source_choice.py`), or with the one that is nearest to what it asks for; and with further ones
beside it, the nearest of the others that look like it.

So photos of a person, drivers and expressions are all used about equally often. A plan is a function of the faces, the
settings and the seed. The order of the faces and the number of workers do not change it, and asking for more pairs does
not change the first ones. A new face changes the pairs that it takes part in, and a few more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8, UInt64

from mien.model.driver_circles import Circles, Entered
from mien.model.errors import ModelError
from mien.model.pair_hashes import id_hashes, mixed, name_hash
from mien.model.plan_faces import FirstDrivers, PlanFaces, first_rows, own_drivers
from mien.model.plan_rules import PlanRules
from mien.model.source_choice import FaceLooks, FaceShapes, further_sources, in_preference, nearness_ranks


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


def planned_pair(identity_face_id: str, expression_face_id: str, seed: int, further: Sequence[str] = ()) -> PlannedPair:
    """A pair whose id and seed follow from the faces and the plan's seed; in a plan from source and driver alone."""
    digest = hashlib.sha256("\n".join([f"{seed}", identity_face_id, expression_face_id, *further]).encode()).digest()
    return PlannedPair(digest.hex()[:32], identity_face_id, expression_face_id, int.from_bytes(digest[:4], "big"))


class Planner:
    """Makes slices of candidate orders. Holds a few numbers for each face, and no pair."""

    def __init__(
        self,
        sources: PlanFaces,
        drivers: PlanFaces,
        rules: PlanRules,
        shapes: Callable[[], FaceShapes] | None = None,
        former: FirstDrivers | None = None,
        looks: FaceLooks | None = None,
    ) -> None:
        """`shapes` finds those of the faces, once they are needed: it is the slowest part of a plan. `former` is what a
        former plan began with, and this one where it can. `looks` are those of the sources; without them all photos of
        a person count as alike.

        Raises:
            ModelError: the nearest sources are asked for, and there are no shapes.
        """
        if rules.source == "nearest" and shapes is None:
            raise ModelError("the nearest sources cannot be chosen without the landmarks of the faces")
        self.sources, self.drivers, self.rules = sources, drivers, rules
        self._find_shapes, self._former, self._looks = shapes, former or {}, looks
        self._number_of = {name: number for number, name in enumerate(sources.identities.names)}
        self._rows = sources.identities.rows_by()
        self._own = own_drivers(sources, drivers)
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

    @cached_property
    def shapes(self) -> FaceShapes | None:
        """Of the faces; None where they are not known."""
        return None if self._find_shapes is None else self._find_shapes()

    @cached_property
    def _keys(self) -> UInt64[np.ndarray, " identities"]:
        hashes = (name_hash(f"identity {name}", self.rules.seed) for name in self.identities)
        return np.concatenate([np.zeros(0, np.uint64), *hashes])

    @cached_property
    def _entries(self) -> UInt8[np.ndarray, "identities groups"]:
        """Where each identity enters the circle of each group."""
        return self._circles.even_entries(
            self._keys, self._is_own, first_rows(self._former, self._number_of, self.drivers)
        )

    @cached_property
    def _source_of_driver(self) -> Int[np.ndarray, " drivers"]:
        """The row of each driver among the sources; -1 where it is no source."""
        rows = np.full(len(self.drivers), -1, np.int64)
        _, of_sources, of_drivers = np.intersect1d(self.sources.face_ids, self.drivers.face_ids, return_indices=True)
        rows[of_drivers] = of_sources
        return rows

    def take(self, identity: str, first_rank: int, count: int) -> CandidateSlice:
        """`count` pairs of an identity's candidate order, from `first_rank` on; fewer where the order ends."""
        end, number = first_rank + count, self._number_of[identity]
        key, entries, sources = self._keys[number : number + 1], self._entries[number], self._sources(identity)
        turns = self._circles.turns(key)
        circles = [self._circles.enter(group, key, int(entries[group])) for group in turns]
        share = -(-end // max(1, len(turns)))
        groups = [self._of_group(identity, sources, circle, share) for circle in circles]
        if sum(len(pairs) for pairs in groups) < end:  # a group ran out: the others give more
            groups = [self._of_group(identity, sources, circle, end) for circle in circles]
        drivers, slots, turn = _in_turns(groups)[:end].T
        keys = self._circles.slots(np.array(turns, np.int64)[turn], slots) ^ mixed(key)
        chosen = sources[self._choose(sources, drivers, keys)]
        return CandidateSlice(identity, chosen[first_rank:], drivers[first_rank:], first_rank)

    def beside(
        self, candidates: CandidateSlice
    ) -> tuple[Int[np.ndarray, " pairs"] | None, Int[np.ndarray, "pairs further"]]:
        """The rank of each source among the photos of its person by nearness to what the driver asks for, from 1; None
        where shapes are not known. The driver's own photo does not count.

        And rows of the further sources, the nearest first (without shapes the first by id) of those that look like the
        source; -1 where no more are left.
        """
        photos, drivers = np.sort(self._photos(candidates.identity)), candidates.drivers
        pairs, chosen = np.arange(len(drivers)), np.searchsorted(photos, candidates.sources)
        apart = np.zeros((len(pairs), len(photos)))
        apart = apart if self.shapes is None else self._distances(self.shapes, photos, drivers)
        ranks = None if self.shapes is None else nearness_ranks(apart)[pairs, chosen]
        shown, taken = self.sources.photos[photos], self.drivers.photos[drivers]
        free = self._fitting(photos, drivers) & self.sources.spare[photos] & (shown != taken[:, None])
        free &= shown != shown[chosen][:, None]
        if self._looks is not None:
            free &= self._looks.alike(photos)[chosen]
        further = further_sources(np.where(free, apart, np.inf), self.rules.sources - 1)
        return ranks, np.where(further < 0, -1, photos[further])

    def _photos(self, identity: str) -> Int[np.ndarray, " n"]:
        """Rows of the photos of an identity that may be sources, the same first whatever others there are."""
        rows = self._rows[self._number_of[identity]]
        return rows[np.argsort(self._source_hashes[rows], kind="stable")][: self.rules.planning.max_sources]

    def _sources(self, identity: str) -> Int[np.ndarray, " n"]:
        return self._photos(identity)[: 1 if self.rules.source == "one" else None]

    def _choose(
        self,
        sources: Int[np.ndarray, " n"],
        drivers: Int[np.ndarray, " pairs"],
        keys: UInt64[np.ndarray, " pairs"],
    ) -> Int[np.ndarray, " pairs"]:
        """The index of the source of each pair.

        In turns, the order in which a pair prefers the sources follows from `keys`, which name the group and the pair's
        index in it. Were it the driver's, another driver would move the sources of the pairs after it, too.
        """
        fits = self._fitting(sources, drivers)
        if self.rules.source == "nearest" and self.shapes is not None:
            preferred = self._distances(self.shapes, sources, drivers)
        else:
            preferred = mixed(keys[:, None] ^ mixed(self._source_hashes[sources])[None])
        order = np.argsort(preferred, axis=1, kind="stable")
        share = self.rules.planning.max_source_share if self.rules.source == "nearest" else 1.0
        return in_preference(order, fits, drivers, share)

    def _distances(
        self, shapes: FaceShapes, sources: Int[np.ndarray, " n"], drivers: Int[np.ndarray, " m"]
    ) -> Float[np.ndarray, "m n"]:
        """Between landmarks; infinite from the driver's own photo."""
        apart = shapes.distances(sources, drivers)
        return np.where(self._source_of_driver[drivers][:, None] == sources[None], np.inf, apart)

    def _of_group(
        self, identity: str, sources: Int[np.ndarray, " n"], entered: Entered, count: int
    ) -> Int[np.ndarray, " pairs"]:
        """The first `count` drivers of a group that come to an identity, or all there are.

        Each comes once before any comes again, and as often as there are sources that fit it.
        """
        own = self._own.get(identity, np.zeros(0, np.int64))
        parts: list[Int[np.ndarray, " pairs"]] = [np.zeros(0, np.int64)]
        rounds, found = 0, 0
        while found < count and rounds < len(sources):
            drivers = self._round(sources, entered, own, rounds, count - found)
            parts.append(drivers)
            rounds, found = rounds + 1, found + len(drivers)
        return np.concatenate(parts)

    def _round(
        self, sources: Int[np.ndarray, " n"], entered: Entered, own: Int[np.ndarray, " k"], number: int, count: int
    ) -> Int[np.ndarray, " pairs"]:
        """Each driver that more than `number` of the sources fit; in blocks, to end after `count` of them."""
        parts: list[Int[np.ndarray, " pairs"]] = [np.zeros(0, np.int64)]
        # Without a limit of poses one block is enough: there may be a million drivers.
        limited = self.rules.max_pose_difference is not None
        block = 4 * count + 16 if limited else count + int(self._faces_of_driver[own].sum())
        position, found = 0, 0
        while position < len(entered.order) and found < count:
            drivers = self._strangers(entered.take(position, block), own)
            if limited or self.rules.same_identity:
                drivers = drivers[self._fitting(sources, drivers).sum(1) > number]
            parts.append(drivers)
            position, found = position + block, found + len(drivers)
        return np.concatenate(parts)[:count].astype(np.int64)

    def _strangers(self, drivers: Int[np.ndarray, " n"], own: Int[np.ndarray, " k"]) -> Int[np.ndarray, " m"]:
        """The drivers of other identities than `own`."""
        return drivers if self.rules.same_identity else drivers[~np.isin(self._driver_identity[drivers], own)]

    def _is_own(self, identities: Int[np.ndarray, " n"], drivers: Int[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
        """Whether drivers are passed over by identities, by their indices, since they show the same person."""
        if self.rules.same_identity:
            return np.zeros(len(drivers), np.bool_)
        people, found = self._driver_identity[drivers], np.zeros(len(drivers), np.bool_)
        for own in self._own_numbers.T:
            found |= own[identities] == people
        return found

    @cached_property
    def _own_numbers(self) -> Int[np.ndarray, "identities k"]:
        """Who of the drivers each identity is; -1 fills up."""
        most = max((len(own) for own in self._own.values()), default=0)
        numbers = np.full((len(self.identities), most), -1, np.int64)
        for row, name in enumerate(self.identities):
            own = self._own.get(name, ())
            numbers[row, : len(own)] = own
        return numbers

    def _fitting(self, sources: Int[np.ndarray, " n"], drivers: Int[np.ndarray, " m"]) -> Bool[np.ndarray, "m n"]:
        """Which sources each driver may come with: other photos, and of a like head pose where that is asked for."""
        fits = np.ones((len(drivers), len(sources)), np.bool_)
        if self.rules.same_identity:
            fits &= self._source_of_driver[drivers][:, None] != sources[None]
        if self.rules.max_pose_difference is not None:
            apart = np.abs(self.drivers.poses[drivers][:, None] - self.sources.poses[sources][None])
            fits &= (np.nan_to_num(apart) <= self.rules.max_pose_difference).all(-1)
        return fits

    def group_counts(self, candidates: CandidateSlice) -> Int[np.ndarray, " groups"]:
        """Number of pairs of each of `groups`."""
        return np.bincount(self.drivers.groups.numbers[candidates.drivers], minlength=len(self.groups))

    def source_counts(self, candidates: CandidateSlice) -> Int[np.ndarray, " n"]:
        """Number of pairs of each photo of the identity that may be a source."""
        photos = np.sort(self._sources(candidates.identity))
        return np.bincount(np.searchsorted(photos, candidates.sources), minlength=len(photos))

    def pairs(self, candidates: CandidateSlice) -> Iterator[PlannedPair]:
        """The pairs with their ids."""
        ids = self.sources.face_ids[candidates.sources].tolist(), self.drivers.face_ids[candidates.drivers].tolist()
        for source, driver in zip(*ids, strict=True):
            yield planned_pair(source.decode(), driver.decode(), self.rules.seed)


def _in_turns(groups: Sequence[Int[np.ndarray, " _"]]) -> Int[np.ndarray, "pairs 3"]:
    """One driver of each group, then the next of each, until all are empty; each with its index in the group, and with
    that of the group."""
    if not groups:
        return np.zeros((0, 3), np.int64)
    slots = np.concatenate([np.arange(len(drivers)) for drivers in groups])
    turns = np.concatenate([np.full(len(drivers), number) for number, drivers in enumerate(groups)])
    return np.column_stack([np.concatenate(groups), slots, turns])[np.lexsort((turns, slots))]
