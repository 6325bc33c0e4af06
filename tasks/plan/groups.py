"""The groups that the drivers' expressions fall into: their labels, or clusters where none has a label.

A plan takes turns over the groups, so a driver that moves from one to another changes the pairs of many people. Where a
set was planned before, clusters stay: their centres, and the cluster of each driver that was used. New drivers come to
the nearest centre. The centres are found anew when there are twice as many drivers as then, or when other clusters are
asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow.compute as pc

from mien.model.expression.clusters import expression_offsets, fitted_centres, nearest_centres
from mien.model.expression.description import described
from mien.model.plan_faces import FirstDrivers
from mien.model.plan_rules import PlanRules
from mien.storage import Root, read_manifest, read_shard, source_digest
from mien.tasks.plan.faces import UsableFaces, usable_points
from mien.tasks.sets.faces import FaceTables

UNLABELLED = "(no label)"
ABOUT = "clusters"
"""Key of what a table of pairs says of its clusters."""
CODE = source_digest("mien.model.expression.description")


@dataclass(frozen=True)
class Clusters:
    """Clusters of drivers, as the manifest of `pairs` keeps them."""

    drivers: str
    """Name of the set."""
    asked: int
    seed: int
    faces: int
    """That the centres were found from."""
    centres: list[list[float]]
    code: str = CODE


@dataclass(frozen=True)
class FormerPlan:
    """What the plan of the last job over a generated set began with."""

    clusters: Clusters | None = None
    """None where its drivers had labels."""
    names: Mapping[str, str] = field(default_factory=dict)
    """The cluster of each driver that was used."""
    firsts: FirstDrivers = field(default_factory=dict)


def former_plan(root: Root, pairs: str) -> FormerPlan:
    """What a table of pairs says of its plan; nothing of a list.

    Raises:
        StorageError: the table cannot be read.
    """
    manifest = read_manifest(root, "pairs", pairs)
    kept: Any = manifest.about.get(ABOUT)
    names: dict[str, str] = {}
    firsts: dict[tuple[str, str], str] = {}
    for shard in manifest.shards:
        columns = ["identity", "expression_group", "expression_face_id", "rank"]
        rows = read_shard(root, "pairs", shard.fingerprint, columns)
        if kept is not None:
            drivers = (rows[column].to_pylist() for column in ("expression_face_id", "expression_group"))
            names |= dict(zip(*drivers, strict=True))
        # In turns, each group gives its first driver within as many pairs as there are groups.
        first = rows.filter(pc.field("rank") < len(rows["expression_group"].unique()))
        for identity, group, driver, _ in zip(*(column.to_pylist() for column in first.columns), strict=True):
            firsts.setdefault((identity, group), driver)
    return FormerPlan(None if kept is None else Clusters(**kept), names, firsts)


@dataclass(frozen=True)
class DriverGroups:
    """The group of each driver, by name."""

    names: list[str]
    clusters: Clusters | None
    """None where the drivers have labels."""


def driver_groups(
    root: Root, tables: FaceTables, drivers: UsableFaces, rules: PlanRules, former: FormerPlan | None = None
) -> DriverGroups:
    """For each driver its label; where none has one, the cluster of its expression."""
    if any(label is not None for label in drivers.expressions):
        return DriverGroups([UNLABELLED if label is None else label for label in drivers.expressions], None)
    # Clusters depend on the order of the faces, plans must not.
    order = np.argsort(drivers.face_ids, kind="stable")
    people = np.unique(np.array(drivers.people, np.str_), return_inverse=True)[1]
    offsets = expression_offsets(usable_points(root, tables)[order], people[order])
    asked = Clusters(tables.name, rules.planning.clusters, rules.seed, len(order), [])
    known = None if former is None else former.clusters
    if former is not None and known is not None and _still_right(known, asked):
        clusters, used = known, former.names
    else:
        centres = fitted_centres(offsets, asked.asked, asked.seed)
        clusters, used = Clusters(**asdict(asked) | {"centres": centres.tolist()}), {}
    nearest = np.zeros(len(order), np.int64)
    nearest[order] = nearest_centres(offsets, np.array(clusters.centres, np.float32))
    ids = [face_id.decode() for face_id in drivers.face_ids.tolist()]
    called = [cluster_name(number, centre) for number, centre in enumerate(clusters.centres)]
    names = [used.get(face_id, called[number]) for face_id, number in zip(ids, nearest.tolist(), strict=True)]
    return DriverGroups(names, clusters)


def cluster_name(number: int, centre: Sequence[float]) -> str:
    """Such as "cluster 3: mouth open, brows up": numbered, since two may be described alike."""
    return f"cluster {number + 1}: {described(np.array(centre))}"


def _still_right(known: Clusters, asked: Clusters) -> bool:
    alike = (known.drivers, known.asked, known.seed, known.code) == (asked.drivers, asked.asked, asked.seed, asked.code)
    return alike and asked.faces < 2 * known.faces
