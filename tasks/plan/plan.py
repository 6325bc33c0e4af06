"""The plan of a transfer job as rows of `pairs`: which identity gets which expression."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
import pyarrow as pa

from mien.model.pair_planning import CandidateSlice, Planner
from mien.model.plan_faces import plan_faces
from mien.model.plan_rules import PlanRules
from mien.storage import Root
from mien.storage.schemas import PAIRS
from mien.tasks.errors import UsageError
from mien.tasks.plan.counts import PlanOutcome, PlanSummary
from mien.tasks.plan.evenness import PlanEvenness
from mien.tasks.plan.faces import consenting, face_looks, face_shapes, photos_of, read_usable
from mien.tasks.plan.groups import Clusters, FormerPlan, driver_groups
from mien.tasks.plan.rounds import Round, ends_shard, in_parts, shard_pairs
from mien.tasks.sets.faces import FaceTables


@dataclass(frozen=True)
class PlanSettings:
    """What decides the pairs, besides the faces."""

    per_identity: int = 10
    """Accepted faces that each identity is to have."""
    candidates: int | None = None
    """Pairs tried for each identity at most, rejected ones included; None: three times `per_identity`."""
    identity_splits: tuple[str, ...] = ()
    """Only identities of these splits (train, val, test); empty takes all."""
    rules: PlanRules = field(default_factory=PlanRules)
    require_consent: bool = False
    """Whether only photos with consent come as further sources; those whose consent was withdrawn never do."""

    @property
    def max_candidates(self) -> int:
        """Of an identity."""
        return max(self.per_identity, 3 * self.per_identity if self.candidates is None else self.candidates)


class Plan:
    """The candidate orders of a job's identities (`model/pair_planning.py`), as rows of `pairs`."""

    def __init__(
        self,
        planner: Planner,
        labels: Sequence[str | None],
        settings: PlanSettings,
        clusters: Clusters | None = None,
    ) -> None:
        """`labels` are the expression labels of the drivers, `clusters` what takes their place where none has one."""
        self.planner, self.settings, self.clusters = planner, settings, clusters
        self._labels = labels

    @property
    def identities(self) -> list[str]:
        """Names of the identities, sorted."""
        return self.planner.identities

    @property
    def groups(self) -> list[str]:
        """Labels or clusters of the drivers."""
        return self.planner.groups

    def rounds(self, outcome: PlanOutcome) -> Iterator[Round]:
        """A round after another, until each identity has its faces or no candidates are left."""
        size, ranks = shard_pairs(self.summary.pairs), self.first()
        while ranks:
            yield partial(self.parts, ranks, size)
            ranks = self.next(outcome, ranks)

    def first(self) -> dict[str, tuple[int, int]]:
        """The ranks of the first round, for `parts`."""
        return dict.fromkeys(self.identities, (0, self.settings.per_identity))

    def next(self, outcome: PlanOutcome, ranks: Mapping[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
        """The ranks of the round after this one: of each identity as many pairs as it lacks accepted faces.

        An identity whose candidate order gave fewer than were asked for is done.
        """
        following: dict[str, tuple[int, int]] = {}
        for name, (first, count) in ranks.items():
            tried, accepted = outcome.tried.get(name, 0), outcome.accepted.get(name, 0)
            missing = min(self.settings.per_identity - accepted, self.settings.max_candidates - tried)
            if missing > 0 and tried == first + count:
                following[name] = (tried, missing)
        return following

    def parts(self, ranks: Mapping[str, tuple[int, int]], size: int) -> Iterator[pa.Table]:
        """Rows of `pairs` in tables of at most `size`, one at a time: a plan need not fit in memory.

        For each identity (first rank, count); fewer where its candidate order ends. A table ends after an identity
        whose name says so, from half of the size on: a new identity changes its own table and the few before the next
        such end, and all others stay as they are.
        """
        slices: list[CandidateSlice] = []
        rows = 0
        for identity, (first, count) in ranks.items():
            taken = self.planner.take(identity, first, count)
            if slices and rows + len(taken.drivers) > size:
                yield self._table(slices)
                slices, rows = [], 0
            if len(taken.drivers) > size:
                yield from in_parts([self._table([taken])], size)
                continue
            slices.append(taken)
            rows += len(taken.drivers)
            if 2 * rows >= size and ends_shard(identity):
                yield self._table(slices)
                slices, rows = [], 0
        if rows:
            yield self._table(slices)

    def _table(self, slices: Sequence[CandidateSlice]) -> pa.Table:
        drivers = np.concatenate([taken.drivers for taken in slices])
        pairs = [pair for taken in slices for pair in self.planner.pairs(taken)]
        groups = self.planner.drivers.groups
        ranks, further = self._beside(slices)
        columns: dict[str, Any] = {
            "pair_id": [pair.pair_id for pair in pairs],
            "identity_face_id": [pair.identity_face_id for pair in pairs],
            "expression_face_id": [pair.expression_face_id for pair in pairs],
            "further_source_ids": further,
            "identity": [taken.identity for taken in slices for _ in range(len(taken.drivers))],
            "expression": [self._labels[driver] for driver in drivers],
            "expression_group": [groups.names[number] for number in groups.numbers[drivers]],
            "rank": np.concatenate([taken.first_rank + np.arange(len(taken.drivers)) for taken in slices]),
            "source_rank": ranks,
            "seed": [pair.seed for pair in pairs],
            "status": ["ok"] * len(pairs),
            "reason": pa.nulls(len(pairs), pa.string()),
            "failure": pa.nulls(len(pairs), pa.string()),
        }
        return pa.table(columns, schema=PAIRS)

    def _beside(self, slices: Sequence[CandidateSlice]) -> tuple[Any, pa.Array]:
        """The ranks of the sources, and for each pair the ids of its further sources."""
        found = [self.planner.beside(taken) for taken in slices]
        known = [ranks for ranks, _ in found if ranks is not None]
        further = np.concatenate([rows for _, rows in found])
        there = further >= 0
        ids = self.planner.sources.face_ids[further[there]]
        ends = np.concatenate([[0], np.cumsum(there.sum(1))]).astype(np.int32)
        lists = pa.ListArray.from_arrays(pa.array(ends), pa.array(ids, pa.binary()).cast(pa.string()))
        return np.concatenate(known) if known else pa.nulls(len(further), pa.int32()), lists

    @cached_property
    def summary(self) -> PlanSummary:
        """What the first round will be, counted without making its rows."""
        evenness = PlanEvenness(self.planner.drivers.groups.numbers, len(self.groups))
        for identity in self.identities:
            taken = self.planner.take(identity, 0, self.settings.per_identity)
            evenness.count(self.planner.group_counts(taken), self.planner.source_counts(taken), taken.drivers)
        by_group = dict(zip(self.groups, evenness.groups.tolist(), strict=True))
        return PlanSummary(len(self.identities), evenness.pairs, by_group, evenness.entropies())


def make_plan(
    root: Root,
    identities: FaceTables,
    expressions: FaceTables,
    settings: PlanSettings,
    former: FormerPlan | None = None,
) -> Plan:
    """The plan for two sets, beginning as a former one did as far as it can.

    Raises:
        UsageError: a set has no usable face, or there is no driver of another identity.
    """
    sources, drivers = read_usable(root, identities, settings.identity_splits), read_usable(root, expressions, ())
    groups = driver_groups(root, expressions, drivers, settings.rules, former)
    several = settings.rules.sources > 1
    spare = consenting(root, identities, expressions, sources, settings.require_consent) if several else None
    unlabelled = [""] * len(sources.face_ids)
    shown = plan_faces(sources.face_ids, sources.people, unlabelled, sources.poses, photos_of(sources), spare)
    asked = plan_faces(drivers.face_ids, drivers.people, groups.names, drivers.poses, photos_of(drivers))
    ids = (shown.face_ids, asked.face_ids)
    firsts = None if former is None else former.firsts
    shapes = partial(face_shapes, root, identities, expressions, ids)
    looks = face_looks(root, identities, shown.face_ids, settings.rules.planning.look_similarity) if several else None
    planner = Planner(shown, asked, settings.rules, shapes, firsts, looks)
    if not any(len(planner.take(name, 0, 1).drivers) for name in planner.identities):
        limit = settings.rules.max_pose_difference
        posed = "" if limit is None else f" with a head pose within {limit:g}° of the source's"
        raise UsageError(
            f"no pair can be planned: {identities.name} gives {len(sources.face_ids)} usable faces, "
            f"{expressions.name} {len(drivers.face_ids)}, and a driver must be of another identity{posed}; "
            f"add images or choose other sets"
        )
    rows = np.unique(drivers.face_ids, return_index=True)[1]  # as `plan_faces` sorts them
    labels = [drivers.expressions[row] for row in rows.tolist()]
    return Plan(planner, labels, settings, groups.clusters)
