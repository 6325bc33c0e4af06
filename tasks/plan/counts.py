"""A plan and its outcome in numbers: how many pairs, how evenly over expressions, sources and drivers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mien.storage import Root, ShardRef, read_shard
from mien.tasks.plan.evenness import Entropies, evenness


@dataclass(frozen=True)
class PlanSummary:
    """Pairs that are planned, in numbers."""

    identities: int
    pairs: int
    by_group: dict[str, int] = field(default_factory=dict)
    """Pairs by label or cluster of the expression; empty for a list, which nothing makes even."""
    entropies: Entropies = field(default_factory=Entropies)
    """How evenly what there is is used."""

    def lines(self) -> list[str]:
        """How even the plan is, for a terminal; nothing of a list."""
        if not self.by_group:
            return []
        groups = ", ".join(f"{group} {count}" for group, count in self.by_group.items())
        return [
            f"{self.identities} identities; evenness over {self.entropies.text()} (1 is even)",
            f"by expression: {groups}",
        ]


@dataclass
class PlanOutcome:
    """What came of the pairs: the shards that were made, and of each identity the faces that were accepted."""

    pairs: list[ShardRef] = field(default_factory=list)
    transfers: list[ShardRef] = field(default_factory=list)
    """One for each of `pairs`."""
    tried: dict[str, int] = field(default_factory=dict)
    """Pairs by identity."""
    accepted: dict[str, int] = field(default_factory=dict)
    by_group: dict[str, dict[str, int]] = field(default_factory=dict)
    """Accepted faces by identity, then by group of expressions."""

    def count(self, root: Root, pairs: Sequence[ShardRef], transfers: Sequence[ShardRef]) -> None:
        """Adds the outcome of these shards of `pairs`."""
        self.pairs += pairs
        self.transfers += transfers
        for planned, made in zip(pairs, transfers, strict=True):
            columns = ["identity", "expression_group"]
            rows = read_shard(root, "pairs", planned.fingerprint, columns).to_pylist()
            outcomes = read_shard(root, "transfers", made.fingerprint, ["status"])["status"].to_pylist()
            for row, status in zip(rows, outcomes, strict=True):
                name, group = row["identity"], row["expression_group"]
                self.tried[name] = self.tried.get(name, 0) + 1
                if status == "ok":
                    self.accepted[name] = self.accepted.get(name, 0) + 1
                    groups = self.by_group.setdefault(name, {})
                    groups[group] = groups.get(group, 0) + 1

    def entropy(self, groups: Sequence[str]) -> float:
        """Of the accepted faces: mean over the identities that have any."""
        counts = [np.array([found.get(group, 0) for group in groups]) for found in self.by_group.values()]
        return float(np.mean([evenness(of_one) for of_one in counts])) if counts else 1.0

    def evenness_line(self, plan: PlanSummary) -> str:
        """How even the accepted faces are beside the plan; empty for a list."""
        if not plan.by_group:
            return ""
        groups = list(plan.by_group)
        reached = f"evenness over {len(groups)} expressions {self.entropy(groups):.2f}"
        return f"{reached} (planned: {plan.entropies.text()}; 1 is even)"
