"""A plan and its outcome in numbers: how many pairs, how even over the expressions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mien.model.pair_planning import normalised_entropy
from mien.storage import Root, ShardRef, read_shard


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
