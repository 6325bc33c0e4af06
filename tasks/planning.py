"""The plan of a transfer job as a table: which identity gets which expression."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from model.expressions import expression_clusters
from model.landmarks import to_common
from model.planning import Planner, PlanRules, normalised_entropy, plan_faces
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

    def rows(self, asked: Mapping[str, tuple[int, int]]) -> Iterator[Row]:
        """Rows of `pairs`: for each identity (first rank, count), fewer where its deck ends."""
        drivers = self.planner.drivers
        for identity, (first, count) in asked.items():
            dealt = self.planner.deal(identity, first, count)
            for rank, (pair, driver) in enumerate(
                zip(self.planner.pairs(dealt), dealt.drivers.tolist(), strict=True), start=first
            ):
                yield vars(pair) | {
                    "identity": identity,
                    "expression": self._labels[driver],
                    "expression_group": drivers.groups[driver],
                    "rank": rank,
                    "status": "ok",
                    "reason": None,
                }

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
    sources, drivers = _columns(root, identities, settings.identity_splits), _columns(root, expressions, ())
    groups = _groups(root, expressions, drivers, settings.rules.seed)
    planner = Planner(
        plan_faces(
            zip(sources["face_id"], sources["person"], [""] * len(sources["face_id"]), sources["pose"], strict=True)
        ),
        plan_faces(zip(drivers["face_id"], drivers["person"], groups, drivers["pose"], strict=True)),
        settings.rules,
    )
    if not any(len(planner.deal(name, 0, 1).drivers) for name in planner.identities):
        limit = settings.rules.most_pose_difference
        posed = "" if limit is None else f" with a head pose within {limit:g}° of the source's"
        raise UsageError(
            f"no pair can be planned: {identities.name} gives {len(sources['face_id'])} usable faces, "
            f"{expressions.name} {len(drivers['face_id'])}, and a driver must be of another identity{posed}; "
            f"add images or choose other sets"
        )
    label_of = dict(zip(drivers["face_id"], drivers["expression"], strict=True))
    return Plan(planner, [label_of[face_id] for face_id in planner.drivers.face_ids], settings)


def _columns(root: Root, tables: FaceTables, splits: Sequence[str]) -> dict[str, list[Any]]:
    """Usable faces column by column: a million rows of Python objects would not be small."""
    wanted = pc.field("status") == "ok"
    if splits:
        wanted = wanted & pc.field("split").isin(list(splits))
    names = ["face_id", "image_id", "identity", "expression", "pose"]
    table = open_table(root, "faces", tables.faces).to_table(columns=names, filter=wanted)
    people = [
        label or image
        for label, image in zip(*(table[name].to_pylist() for name in ("identity", "image_id")), strict=True)
    ]  # each unlabelled image counts as a person
    return {
        "face_id": table["face_id"].to_pylist(),
        "person": people,
        "expression": table["expression"].to_pylist(),
        "pose": table["pose"].to_pylist(),
    }


def _groups(root: Root, tables: FaceTables, drivers: Mapping[str, list[Any]], seed: int) -> list[str]:
    """For each driver its label; where none has one, the cluster of its expression."""
    if any(label is not None for label in drivers["expression"]):
        return [UNLABELLED if label is None else label for label in drivers["expression"]]
    # Clusters depend on the order of the faces, plans must not.
    order = np.argsort(np.array(drivers["face_id"], np.str_), kind="stable")
    people = np.unique(np.array(drivers["person"], np.str_), return_inverse=True)[1]
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


def pairs_shard(root: Root, rows: Sequence[Row], place: int) -> ShardRef:
    """The shard of `pairs` with these rows, the `place`-th of its plan (a list may repeat itself)."""
    name = fingerprint({"code": CODE, "rows": list(rows), "place": place})
    return find_shard(root, "pairs", name) or write_shard(
        root, "pairs", name, pa.Table.from_pylist(list(rows), schema=PAIRS)
    )


def in_parts(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    """The rows in lists of `size`, the last one shorter; one at a time, so that a plan need not fit in memory."""
    part: list[Row] = []
    for row in rows:
        part.append(row)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


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
