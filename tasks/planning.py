"""The plan of a transfer job as a table: which identity gets which expression."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from model.expressions import expression_clusters
from model.landmarks import to_common
from model.planning import Dealt, Planner, PlanRules, normalised_entropy, plan_faces
from storage import (
    Root,
    ShardRef,
    TableRef,
    commit,
    find_shard,
    fingerprint,
    open_table,
    read_shard,
    source_digest,
    write_shard,
)
from storage.schemas import PAIRS
from tasks.errors import UsageError
from tasks.faces import FaceTables, crop_size_px

CODE = source_digest("tasks.planning", "tasks.listed_pairs", "model.expressions", "model.planning", "storage.schemas")

CLUSTERS = 8
"""Of expressions, where no driver has a label."""
UNLABELLED = "(no label)"
LEAST_SHARD_PAIRS, MOST_SHARD_PAIRS, USUAL_SHARDS = 64, 1024, 2000
"""A killed run loses a shard for each worker at most; each shard costs a task run and a file."""
PARTS_AT_ONCE = 8
"""Shards of a plan that are written side by side: an object store takes its time for each."""

Row = dict[str, Any]


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

    @property
    def most_candidates(self) -> int:
        """Of an identity."""
        return max(self.per_identity, 3 * self.per_identity if self.candidates is None else self.candidates)


class Plan:
    """The decks of a job's identities (`model.planning`), as rows of `pairs`."""

    def __init__(self, planner: Planner, labels: Sequence[str | None], settings: PlanSettings) -> None:
        """`labels` are the expression labels of the drivers."""
        self.planner, self.settings = planner, settings
        self._labels = labels

    @property
    def identities(self) -> list[str]:
        """Names of the identities, sorted."""
        return self.planner.identities

    @property
    def groups(self) -> list[str]:
        """Labels or clusters of the drivers."""
        return self.planner.groups

    def first(self) -> dict[str, tuple[int, int]]:
        """What the first round asks of `rows`."""
        return dict.fromkeys(self.identities, (0, self.settings.per_identity))

    def next(self, tally: Tally, asked: Mapping[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
        """What the round after `asked` asks of `rows`: of each identity as many pairs as it lacks accepted faces.

        An identity whose deck gave fewer than were asked for is done.
        """
        wanted: dict[str, tuple[int, int]] = {}
        for name, (first, count) in asked.items():
            tried, accepted = tally.tried.get(name, 0), tally.accepted.get(name, 0)
            missing = min(self.settings.per_identity - accepted, self.settings.most_candidates - tried)
            if missing > 0 and tried == first + count:
                wanted[name] = (tried, missing)
        return wanted

    def parts(self, asked: Mapping[str, tuple[int, int]], size: int) -> Iterator[pa.Table]:
        """Rows of `pairs` in tables of `size`, the last one shorter, one at a time: a plan need not fit in memory.

        For each identity (first rank, count); fewer where its deck ends.
        """
        return in_parts(self._tables(asked, size), size)

    def _tables(self, asked: Mapping[str, tuple[int, int]], least: int) -> Iterator[pa.Table]:
        """Tables of at least so many rows (the last one of fewer), each of whole identities."""
        stretches: list[Dealt] = []
        for identity, (first, count) in asked.items():
            stretches.append(self.planner.deal(identity, first, count))
            if sum(len(dealt.drivers) for dealt in stretches) >= least:
                yield self._table(stretches)
                stretches = []
        if stretches:
            yield self._table(stretches)

    def _table(self, stretches: Sequence[Dealt]) -> pa.Table:
        drivers = np.concatenate([dealt.drivers for dealt in stretches])
        pairs = [pair for dealt in stretches for pair in self.planner.pairs(dealt)]
        groups = self.planner.drivers.groups
        columns: dict[str, Any] = {
            "pair_id": [pair.pair_id for pair in pairs],
            "identity_face_id": [pair.identity_face_id for pair in pairs],
            "expression_face_id": [pair.expression_face_id for pair in pairs],
            "identity": [dealt.identity for dealt in stretches for _ in range(len(dealt.drivers))],
            "expression": [self._labels[driver] for driver in drivers],
            "expression_group": [groups.names[number] for number in groups.numbers[drivers]],
            "rank": np.concatenate([dealt.first_rank + np.arange(len(dealt.drivers)) for dealt in stretches]),
            "seed": [pair.seed for pair in pairs],
            "status": ["ok"] * len(pairs),
            "reason": pa.nulls(len(pairs), pa.string()),
        }
        return pa.table(columns, schema=PAIRS)

    def outlook(self) -> Outlook:
        """What the first round will be, counted without making its rows."""
        counts, pairs, entropies = np.zeros(len(self.groups), np.int64), 0, []
        for identity in self.identities:
            dealt = self.planner.deal(identity, 0, self.settings.per_identity)
            of_groups = self.planner.group_counts(dealt)
            counts, pairs = counts + of_groups, pairs + len(dealt.drivers)
            entropies.append(evenness(of_groups))
        by_group = dict(zip(self.groups, counts.tolist(), strict=True))
        return Outlook(len(self.identities), pairs, by_group, float(np.mean(entropies)) if entropies else 1.0)


@dataclass(frozen=True)
class Outlook:
    """A plan in numbers."""

    identities: int
    pairs: int
    by_group: dict[str, int]
    entropy: float
    """Mean over the identities of the normalised entropy of their pairs over the groups of expressions."""


def evenness(counts: np.ndarray) -> float:
    """Normalised entropy of one identity's faces over the groups; of fewer faces than groups no more is expected than
    that each has another group."""
    reachable = min(len(counts), int(counts.sum()))
    return normalised_entropy(np.sort(counts)[::-1][: max(1, reachable)])


def make_plan(root: Root, identities: FaceTables, expressions: FaceTables, settings: PlanSettings) -> Plan:
    """The plan for two sets.

    Raises:
        UsageError: a set has no usable face, or there is no driver of another identity.
    """
    sources, drivers = _usable(root, identities, settings.identity_splits), _usable(root, expressions, ())
    groups = _groups(root, expressions, drivers, settings.rules.seed)
    planner = Planner(
        plan_faces(sources.face_ids, sources.people, [""] * len(sources.face_ids), sources.poses),
        plan_faces(drivers.face_ids, drivers.people, groups, drivers.poses),
        settings.rules,
    )
    if not any(len(planner.deal(name, 0, 1).drivers) for name in planner.identities):
        limit = settings.rules.most_pose_difference
        posed = "" if limit is None else f" with a head pose within {limit:g}° of the source's"
        raise UsageError(
            f"no pair can be planned: {identities.name} gives {len(sources.face_ids)} usable faces, "
            f"{expressions.name} {len(drivers.face_ids)}, and a driver must be of another identity{posed}; "
            f"add images or choose other sets"
        )
    rows = np.unique(drivers.face_ids, return_index=True)[1]  # as `plan_faces` sorts them
    return Plan(planner, [drivers.expressions[row] for row in rows.tolist()], settings)


@dataclass(frozen=True)
class _Usable:
    """The usable faces of a set, column by column; strings that are alike are one object."""

    face_ids: np.ndarray
    """UTF-8 bytes."""
    people: list[str]
    """Labels; the image of a face without one, so that each unlabelled image counts as a person."""
    expressions: list[str | None]
    poses: np.ndarray
    """Faces × 3, NaN where not known."""


def _usable(root: Root, tables: FaceTables, splits: Sequence[str]) -> _Usable:
    wanted = pc.field("status") == "ok"
    if splits:
        wanted = wanted & pc.field("split").isin(list(splits))
    names = ["face_id", "image_id", "identity", "expression", "pose"]
    table = open_table(root, "faces", tables.faces).to_table(columns=names, filter=wanted)
    people = _shared(pc.call_function("coalesce", [table["identity"], table["image_id"]]))
    poses = [pc.call_function("list_element", [table["pose"], pa.scalar(axis)]).to_numpy() for axis in range(3)]
    return _Usable(
        np.array(table["face_id"].cast(pa.binary()).to_numpy(), np.bytes_),
        [str(person) for person in people],
        _shared(table["expression"]),
        np.column_stack(poses).astype(np.float64),
    )


def _shared(column: pa.ChunkedArray) -> list[str | None]:
    encoded = column.combine_chunks().dictionary_encode()
    names = [*encoded.dictionary.to_pylist(), None]
    return [names[number] for number in encoded.indices.fill_null(-1).to_pylist()]


def _groups(root: Root, tables: FaceTables, drivers: _Usable, seed: int) -> list[str]:
    """For each driver its label; where none has one, the cluster of its expression."""
    if any(label is not None for label in drivers.expressions):
        return [UNLABELLED if label is None else label for label in drivers.expressions]
    # Clusters depend on the order of the faces, plans must not.
    order = np.argsort(drivers.face_ids, kind="stable")
    people = np.unique(np.array(drivers.people, np.str_), return_inverse=True)[1]
    clusters = expression_clusters(_points(root, tables)[order], people[order], CLUSTERS, seed)
    found = np.zeros(len(order), np.int64)
    found[order] = clusters
    return [f"cluster {number + 1}" for number in found.tolist()]


def _points(root: Root, tables: FaceTables) -> np.ndarray:
    """The 68 landmarks of the usable faces (faces × 68 × 2, in [-1, 1] over the crop), in the order of the rows."""
    side_px = crop_size_px(root, tables)
    columns = ["landmarks_xy", "landmark_scheme"]
    scanner = open_table(root, "faces", tables.faces).scanner(columns=columns, filter=pc.field("status") == "ok")
    parts: list[np.ndarray] = [np.zeros((0, 68, 2), np.float32)]
    for batch in scanner.to_batches():
        schemes = set(batch["landmark_scheme"].to_pylist())
        flat = batch["landmarks_xy"].flatten().to_numpy()
        for scheme in schemes:  # a set has one: that of its detector
            points = to_common(flat.reshape(batch.num_rows, -1, 2), scheme)
            parts.append((points / side_px * 2 - 1).astype(np.float32))
    return np.concatenate(parts)


# --- Stored -----------------------------------------------------------------------------------------------------------


def shard_pairs(total: int) -> int:
    """Pairs per shard for a plan of so many: few enough to lose little, many enough to keep the shards few."""
    size = LEAST_SHARD_PAIRS
    while size < MOST_SHARD_PAIRS and total > USUAL_SHARDS * size:
        size *= 2
    return size


def store_parts(root: Root, parts: Callable[[], Iterator[pa.Table]], first: int) -> list[ShardRef]:
    """Shards of `pairs` with these rows, from the `first`-th of their plan on; one that is there is left alone."""
    shards: list[ShardRef] = []
    with ThreadPoolExecutor(PARTS_AT_ONCE) as threads:
        numbered = enumerate(parts(), start=first)
        while some := list(islice(numbered, PARTS_AT_ONCE)):  # not all at once: each holds its rows
            shards += threads.map(lambda part: _pairs_shard(root, part[1], part[0]), some)
    return shards


def _pairs_shard(root: Root, rows: pa.Table, place: int) -> ShardRef:
    """The shard with these rows, the `place`-th of its plan (a list may repeat itself)."""
    content = hashlib.sha256(json.dumps(rows.to_pydict(), sort_keys=True).encode()).hexdigest()
    name = fingerprint({"code": CODE, "rows": content, "place": place})
    return find_shard(root, "pairs", name) or write_shard(root, "pairs", name, rows)


def listed_parts(rows: Sequence[Row], size: int) -> Iterator[pa.Table]:
    """Rows of a list in tables of `size`."""
    return in_parts([pa.Table.from_pylist(list(rows), schema=PAIRS)], size)


def in_parts(tables: Iterable[pa.Table], size: int) -> Iterator[pa.Table]:
    """The rows of the tables in tables of `size`, the last one shorter."""
    left: pa.Table = PAIRS.empty_table()
    for table in tables:
        left = pa.concat_tables([left, table])
        while left.num_rows >= size:
            yield left.slice(0, size)
            left = left.slice(size)
    if left.num_rows:
        yield left


def commit_pairs(
    root: Root,
    shards: Sequence[ShardRef],
    identities: FaceTables,
    expressions: FaceTables,
    settings: PlanSettings | None,
) -> TableRef:
    """Makes the plan visible as one table; without settings it is a list."""
    about = {"identities": asdict(identities), "expressions": asdict(expressions), "code": CODE}
    return commit(root, "pairs", shards, about | {"settings": None if settings is None else asdict(settings)})


# --- What came of it --------------------------------------------------------------------------------------------------


@dataclass
class Tally:
    """Of each identity: pairs tried, faces accepted, and these by group of expressions."""

    tried: dict[str, int] = field(default_factory=dict)
    accepted: dict[str, int] = field(default_factory=dict)
    by_group: dict[str, dict[str, int]] = field(default_factory=dict)

    def count(self, root: Root, pairs: Sequence[ShardRef], transfers: Sequence[ShardRef]) -> None:
        """Adds the outcome of these shards of `pairs`."""
        for planned, made in zip(pairs, transfers, strict=True):
            columns = ["identity", "expression_group"]
            rows = read_shard(root, "pairs", planned.fingerprint, columns).to_pylist()
            outcomes = read_shard(root, "transfers", made.fingerprint, ["status"])["status"].to_pylist()
            for row, status in zip(rows, outcomes, strict=True):
                name, group = row["identity"], row["expression_group"]
                self.tried[name] = self.tried.get(name, 0) + 1
                if status == "ok":
                    self.accepted[name] = self.accepted.get(name, 0) + 1
                    its = self.by_group.setdefault(name, {})
                    its[group] = its.get(group, 0) + 1

    def entropy(self, groups: Sequence[str]) -> float:
        """Of the accepted faces: mean over the identities that have any."""
        counts = [np.array([its.get(group, 0) for group in groups]) for its in self.by_group.values()]
        return float(np.mean([evenness(of_one) for of_one in counts])) if counts else 1.0
